import { IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useMemo, useRef } from 'react';
import { useSearch } from 'wouter';
import { runbookQuery } from '../api/queries.ts';
import type { RunbookFile } from '../api/shapes.ts';
import { Ago } from '../components/moment.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Empty, Loaded, Waiting } from '../components/trouble.tsx';
import { Declares } from './declares.tsx';
import { Health } from './runbook-table.tsx';
import classes from './runbooks.module.css';

interface Lines {
  readonly from: number;
  readonly to: number;
}

const Markdown = lazy(() => import('./markdown.tsx'));

/** One runbook, rendered, with the passage that was cited marked, its health and its lint. */
export default function RunbookPage() {
  const asked = new URLSearchParams(useSearch());
  const path = asked.get('path') ?? '';
  const runbook = useQuery(runbookQuery(path));
  const [from, to] = [Number(asked.get('from')), Number(asked.get('to'))];
  const cited = useMemo(() => (from > 0 && to >= from ? { from, to } : null), [from, to]);
  return (
    <Loaded query={runbook} title={path} waiting={<Waiting lines={1} height={480} />}>
      {(data) => <Opened key={path} runbook={data} cited={cited} />}
    </Loaded>
  );
}

function Opened({ runbook, cited }: { readonly runbook: RunbookFile; readonly cited: Lines | null }) {
  const frame = useRef<HTMLDivElement>(null);
  const marked = useMemo(() => inBody(runbook, cited), [runbook, cited]);
  // The text comes in a part of its own.
  useEffect(() => {
    const frameElement = frame.current;
    const { hash, href } = window.location;
    if (!frameElement || !(marked || hash)) return;
    const isAsked = ({ id }: Element) => marked !== null || new URL(`#${id}`, href).hash === hash;
    const show = () => {
      const first = [...frameElement.querySelectorAll(marked ? '[data-marked]' : '[id]')].find(isAsked);
      first?.scrollIntoView({ block: 'center' });
      return first !== undefined;
    };
    if (show()) return;
    const observer = new MutationObserver(() => {
      if (show()) observer.disconnect();
    });
    observer.observe(frameElement, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [marked]);
  const { title, path, body, service, matches, used, healed, failed, lastUsed, stale, problems, lint, frontMatter } =
    runbook;
  return (
    <>
      <PageTitle title={title} tells={path}>
        <Health runbook={runbook} />
      </PageTitle>
      <div className={classes.page}>
        <Card>
          <div className={classes.body} ref={frame}>
            <Suspense fallback={<Waiting lines={1} height={420} />}>
              <Markdown text={body} path={path} marked={marked} />
            </Suspense>
          </div>
        </Card>
        <div className={classes.side}>
          <Panel title="Health">
            <Card>
              <dl className={classes.facts}>
                <dt>used</dt>
                <dd>{used === 0 ? 'never' : `${used} times`}</dd>
                <dt>healed</dt>
                <dd>{healed}</dd>
                <dt>failed</dt>
                <dd>{failed}</dd>
                <dt>last used</dt>
                <dd>{lastUsed ? <Ago at={lastUsed} /> : 'never'}</dd>
                {stale ? (
                  <>
                    <dt>stale</dt>
                    <dd>{stale}</dd>
                  </>
                ) : null}
                {service ? (
                  <>
                    <dt>service</dt>
                    <dd>{service}</dd>
                  </>
                ) : null}
                <dt>for</dt>
                <dd>{matches.length > 0 ? matches.join(', ') : 'whatever its words fit'}</dd>
              </dl>
            </Card>
          </Panel>
          {frontMatter ? <Declares declaration={frontMatter} /> : null}
          <Panel title="Lint" count={lint.length + problems.length}>
            {lint.length + problems.length === 0 ? (
              <Empty icon={<IconCircleCheck size={24} stroke={1.5} />} title="Nothing to mend" />
            ) : (
              <Card>
                {problems.map((problem) => (
                  <p key={problem} className={classes.finding}>
                    <Pill tone="bad">problem</Pill> {problem}
                  </p>
                ))}
                {lint.map(({ severity: how, line, message, fix }) => (
                  <div key={`${line} ${message}`} className={classes.finding}>
                    <Pill tone={how === 'error' ? 'bad' : 'warn'}>{how}</Pill> {line === null ? '' : `line ${line}: `}
                    {message}
                    {fix ? <p className={classes.fix}>Fix: {fix}</p> : null}
                  </div>
                ))}
              </Card>
            )}
          </Panel>
        </div>
      </div>
    </>
  );
}

/** Passages are cited by the lines of their file, and the body begins below its front matter: where its first passage does. */
function inBody({ body, passages }: RunbookFile, cited: Lines | null): Lines | null {
  if (cited === null || passages.length === 0) return cited;
  const firstInBody = body.split('\n').findIndex((line) => line.trim() !== '') + 1;
  const above = Math.min(...passages.map(({ startLine }) => startLine)) - firstInBody;
  return { from: cited.from - above, to: cited.to - above };
}
