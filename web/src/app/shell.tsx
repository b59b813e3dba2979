import { ActionIcon } from '@mantine/core';
import {
  IconBook2,
  IconChartHistogram,
  IconHistory,
  IconListDetails,
  IconMoonStars,
  IconSearch,
  IconShieldLock,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ComponentType, type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useLive } from '../api/live.ts';
import { nowQuery } from '../api/queries.ts';
import { waitsForYou } from '../approval/refused.ts';
import { Announcer } from './announcer.tsx';
import { showFailure } from './failure.ts';
import { PLACES, useKeys } from './keys.ts';
import { LiveMark } from './live-mark.tsx';
import { ModeMark } from './mode-mark.tsx';
import { PersonMenu } from './person-menu.tsx';
import classes from './shell.module.css';
import { StopSwitch } from './stop-switch.tsx';
import { NowUnknown, StoppedBanner } from './stopped-banner.tsx';

const loadPalette = () => import('./palette.tsx').then((part) => part.default);
const loadKeyHelp = () => import('./key-help.tsx').then((part) => part.KeyHelp);

const PALETTE_AFTER_MS = 1500;

const ICONS = {
  '/': IconMoonStars,
  '/incidents': IconListDetails,
  '/runbooks': IconBook2,
  '/policy': IconShieldLock,
  '/insights': IconChartHistogram,
  '/audit': IconHistory,
} as const;

/** The frame of every page: where one can go, how Nightshift stands, and the stop switch. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const [path] = useLocation();
  const [Opened, setOpened] = useState<ComponentType<{ readonly onClose: () => void }> | null>(null);
  const main = useRef<HTMLElement>(null);
  const { data: now } = useQuery(nowQuery);
  useLive();
  const open = useCallback((load: () => Promise<ComponentType<{ readonly onClose: () => void }>>) => {
    load().then(
      (part) => setOpened(() => part),
      (error: unknown) => showFailure(error),
    );
  }, []);
  const openPalette = useCallback(() => open(loadPalette), [open]);
  const openKeys = useCallback(() => open(loadKeyHelp), [open]);
  useKeys({ openPalette, openKeys });
  usePaletteKey(openPalette);
  useFocusOnNavigation(path, main);
  const waiting = now?.approvals.filter(waitsForYou).length ?? 0;
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <aside className={classes.rail}>
        <Link href="/" className={classes.brand}>
          <img src="/moon.svg" alt="" width="26" height="26" />
          <span>Nightshift</span>
        </Link>
        <nav aria-label="Pages" className={classes.nav}>
          {PLACES.map(({ path: to, name, key }) => {
            const Icon = ICONS[to];
            const isHere = to === '/' ? path === '/' : path.startsWith(to);
            return (
              <Link key={to} href={to} className={classes.place} aria-current={isHere ? 'page' : undefined}>
                <Icon size={19} stroke={1.7} aria-hidden="true" />
                <span className={classes.name}>{name}</span>
                {to === '/' && waiting > 0 ? (
                  <span className={classes.waiting}>
                    {waiting}
                    <span className={classes.hidden}> waiting for you</span>
                  </span>
                ) : (
                  <span className={classes.hint} aria-hidden="true">
                    g {key}
                  </span>
                )}
              </Link>
            );
          })}
        </nav>
        <div className={classes.end}>
          <ModeMark />
          <StopSwitch />
        </div>
      </aside>
      <header className={classes.top}>
        <Link href="/" className={classes.topBrand} aria-label="Nightshift">
          <img src="/moon.svg" alt="" width="26" height="26" />
        </Link>
        <button type="button" className={classes.search} onClick={openPalette} aria-keyshortcuts="/ Control+K">
          <IconSearch size={16} aria-hidden="true" />
          <span>Search or jump to…</span>
          <kbd>/</kbd>
        </button>
        <LiveMark />
        <span className={classes.topStop}>
          <StopSwitch isCompact />
        </span>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={classes.keysButton}
          aria-label="Keys"
          onClick={openKeys}
        >
          <kbd>?</kbd>
        </ActionIcon>
        <PersonMenu />
      </header>
      <main className={classes.main} id="main" ref={main} tabIndex={-1}>
        <NowUnknown />
        <StoppedBanner />
        {children}
      </main>
      <Announcer />
      {Opened ? <Opened onClose={() => setOpened(null)} /> : null}
    </div>
  );
}

/** Ctrl+K works in fields too. What it opens is fetched once the page has nothing else to do, so that no letter typed into it is lost. */
function usePaletteKey(open: () => void): void {
  useEffect(() => {
    const timer = setTimeout(() => loadPalette().catch(() => {}), PALETTE_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      open();
    };
    window.addEventListener('keydown', hear);
    return () => window.removeEventListener('keydown', hear);
  });
}

/** Another page begins at its top, for the eye and for the keyboard. */
function useFocusOnNavigation(path: string, main: React.RefObject<HTMLElement | null>): void {
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path, main]);
}
