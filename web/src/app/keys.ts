import { useEffect } from 'react';
import { useLocation } from 'wouter';

/** Where `g` and a letter lead to. */
export const PLACES = [
  { key: 'n', path: '/', name: 'Now' },
  { key: 'i', path: '/incidents', name: 'Incidents' },
  { key: 'r', path: '/runbooks', name: 'Runbooks' },
  { key: 'p', path: '/policy', name: 'Policy' },
  { key: 's', path: '/insights', name: 'Insights' },
  { key: 'a', path: '/audit', name: 'Audit' },
] as const;

/** How long `g` waits for its letter. */
const SEQUENCE_MS = 1200;

interface Acts {
  readonly openPalette: () => void;
  readonly openKeys: () => void;
}

/** Hears the keys that work everywhere; what is typed into a field, or with a modifier, is nobody's business here. */
export function useKeys({ openPalette, openKeys }: Acts): void {
  const [, navigate] = useLocation();
  useEffect(() => {
    let pressedG = 0;
    const hear = (event: KeyboardEvent) => {
      if (event.defaultPrevented || isTyping(event.target)) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('[role="dialog"], [role="menu"]')) return;
      if (Date.now() - pressedG < SEQUENCE_MS) {
        pressedG = 0;
        const place = PLACES.find(({ key }) => key === event.key);
        if (place) {
          event.preventDefault();
          navigate(place.path);
        }
        return;
      }
      const act: Readonly<Record<string, () => void>> = {
        g: () => {
          pressedG = Date.now();
        },
        '/': openPalette,
        '?': openKeys,
        j: () => moveInList(1),
        k: () => moveInList(-1),
        a: () => answer('a'),
        d: () => answer('d'),
      };
      if (!(event.key in act)) return;
      event.preventDefault();
      act[event.key]?.();
    };
    window.addEventListener('keydown', hear);
    return () => window.removeEventListener('keydown', hear);
  }, [navigate, openPalette, openKeys]);
}

const FIELDS = 'input:not([type="radio"], [type="checkbox"]), textarea, select, [contenteditable="true"]';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest(FIELDS) !== null;
}

/** Moves the focus among the rows of the page; what bears `data-row` is one, and Enter opens it as it does for every link. */
function moveInList(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? (step === 1 ? 0 : rows.length - 1) : at + step];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

/** Presses the button of the approval that has the focus, or whose incident's row has it; where no row has it, of the first on the page. */
function answer(key: 'a' | 'd'): void {
  const cards = [...document.querySelectorAll<HTMLElement>('[data-approval]')];
  const row = document.activeElement?.closest<HTMLAnchorElement>('a[data-row]');
  const card =
    cards.find((one) => one.contains(document.activeElement)) ??
    cards.find((one) => row === null || one.querySelector(`a[href="${row?.getAttribute('href')}"]`) !== null);
  const button = card?.querySelector<HTMLButtonElement>(`button[aria-keyshortcuts="${key}"]`);
  button?.focus();
  button?.click();
}
