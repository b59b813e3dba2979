import { IconTool } from '@tabler/icons-react';
import type { Action } from '../api/shapes.ts';
import { CodeBlock, written } from '../components/code-block.tsx';
import { Pill, type Tone } from '../components/pill.tsx';
import actionClasses from './action-fold.module.css';
import classes from './timeline.module.css';

const TONES: Readonly<Record<string, Tone>> = {
  succeeded: 'good',
  failed: 'bad',
  refused: 'bad',
  denied: 'bad',
  unknown: 'warn',
  asked: 'signal',
  running: 'accent',
  started: 'accent',
};

/** One action: with what, on what, why, what it would do, what came of it, and how it is taken back. */
export function ActionFold({ action, isFramed = false }: { readonly action: Action; readonly isFramed?: boolean }) {
  const { tool, target, risk, status, effect, decision, inspection, result, undo, reason, expectedEffect } = action;
  const preview = inspection?.preview ?? [];
  return (
    <details className={isFramed ? classes.fold : `${classes.fold} ${actionClasses.row}`}>
      <summary>
        <IconTool size={14} aria-hidden="true" />
        <b>{tool}</b>
        <span>{target}</span>
        <Pill tone={TONES[status] ?? 'plain'}>{status}</Pill>
        {effect ? <span>{effect}</span> : null}
      </summary>
      <div className={classes.inside}>
        <dl className={actionClasses.facts}>
          <dt>risk</dt>
          <dd>{risk}</dd>
          <dt>because</dt>
          <dd>
            {reason} <span className={actionClasses.dim}>({action.origin})</span>
          </dd>
          {expectedEffect ? (
            <>
              <dt>expects</dt>
              <dd>{expectedEffect}</dd>
            </>
          ) : null}
          {decision ? (
            <>
              <dt>policy</dt>
              <dd>
                {decision.decision}: {decision.spoke.map(({ rule, why }) => `${why} (${rule})`).join('; ')}
              </dd>
            </>
          ) : null}
          <dt>undo</dt>
          <dd>{undo}</dd>
          {action.undoOf ? (
            <>
              <dt>takes back</dt>
              <dd>{action.undoOf}</dd>
            </>
          ) : null}
        </dl>
        <CodeBlock label="Arguments" text={written(action.arguments)} />
        {preview.length > 0 ? <CodeBlock label="Dry run" text={preview.join('\n')} /> : null}
        {result === null || result === undefined ? null : <CodeBlock label="Result" text={written(result)} />}
      </div>
    </details>
  );
}
