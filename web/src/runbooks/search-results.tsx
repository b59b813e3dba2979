import { IconSearchOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Link } from 'wouter';
import { runbookSearchQuery } from '../api/queries.ts';
import type { FoundPassage, Why } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Empty, Loaded, Waiting } from '../components/trouble.tsx';
import { runbookAddress } from './address.ts';
import classes from './runbooks.module.css';

const Markdown = lazy(() => import('./markdown.tsx'));

/** What the runbooks say to some words, and why each was found. */
export function SearchResults({ words }: { readonly words: string }) {
  const search = useQuery(runbookSearchQuery(words));
  return (
    <div className={classes.results}>
      <Loaded query={search}>
        {({ found, others }) =>
          found.length + others.length === 0 ? (
            <Empty icon={<IconSearchOff size={28} stroke={1.5} />} title={`No runbook says anything about “${words}”`}>
              Try the name of the alert, or the words that its summary has.
            </Empty>
          ) : (
            <>
              {found.length === 0 ? <p className={classes.none}>No runbook fits.</p> : null}
              <Passages title="Fits" passages={found} />
              <Passages title="Found, but hardly about this" passages={others} />
            </>
          )
        }
      </Loaded>
    </div>
  );
}

function Passages({ title, passages }: { readonly title: string; readonly passages: readonly FoundPassage[] }) {
  if (passages.length === 0) return null;
  return (
    <Panel title={title} count={passages.length}>
      <Card>
        {passages.map((passage) => (
          <article key={`${passage.path} ${passage.startLine}`} className={classes.found}>
            <div className={classes.foundTop}>
              <Link href={runbookAddress(passage.path, { from: passage.startLine, to: passage.endLine })} data-row>
                {passage.breadcrumb || passage.title}
              </Link>
              <span className={classes.cite}>{passage.cite}</span>
            </div>
            <div className={classes.content}>
              <Suspense fallback={<Waiting lines={1} height={64} />}>
                <Markdown text={passage.content.replace(/^#+ .*\n+/, '')} path={passage.path} />
              </Suspense>
            </div>
            <ul className={classes.why} aria-label="Why it was found">
              {reasonsOf(passage.why, passage.score).map((reason) => (
                <li key={reason}>
                  <Pill>{reason}</Pill>
                </li>
              ))}
              {passage.flags.map(({ line, reason }) => (
                <li key={`${line} ${reason}`}>
                  <Pill tone="warn">
                    line {line} talks to a machine: {reason}
                  </Pill>
                </li>
              ))}
            </ul>
          </article>
        ))}
      </Card>
    </Panel>
  );
}

/** Says every signal in words. */
function reasonsOf(why: Why, score: number): string[] {
  return [
    `covers ${Math.round(score * 100)} % of the words`,
    ...(why.matched ? ['declares itself for these labels'] : []),
    ...(why.linked ? ['the alert links to it'] : []),
    ...(why.named ? ['bears the alert’s name'] : []),
    ...(why.service ? ['is of this service'] : []),
    ...(why.words === null ? [] : [`no. ${why.words} by words`]),
    ...(why.vector === null
      ? []
      : [`no. ${why.vector} by meaning${why.similarity === null ? '' : ` (${why.similarity.toFixed(2)})`}`]),
    ...(why.name === null ? [] : [`no. ${why.name} by its name`]),
    ...(why.record === null ? [] : ['its remedies ran before']),
  ];
}
