import { IconSparkles } from '@tabler/icons-react';
import type { ModelCall } from '../api/shapes.ts';
import { CodeBlock, written } from '../components/code-block.tsx';
import { Pill } from '../components/pill.tsx';
import { dollars, span } from '../components/time.ts';
import classes from './timeline.module.css';

/** One question to a model, in place: what was asked and answered, what it took and cost. */
export function ModelCallFold({ call }: { readonly call: ModelCall }) {
  const { role, model, outcome, error, degraded, inputTokens, cachedTokens, outputTokens, costUsd, latencyMs } = call;
  const tokens = `${inputTokens ?? '?'} in${cachedTokens ? ` (${cachedTokens} cached)` : ''}, ${outputTokens ?? '?'} out`;
  return (
    <details className={classes.fold}>
      <summary>
        <IconSparkles size={14} aria-hidden="true" />
        <b>{model}</b>
        <span>{role}</span>
        <span>{tokens}</span>
        <span>{costUsd === null ? 'no price' : dollars(costUsd)}</span>
        <span>{span(latencyMs / 1000)}</span>
        {error ? <Pill tone="bad">{outcome}</Pill> : null}
      </summary>
      <div className={classes.inside}>
        {error ? <p>{error}</p> : null}
        {degraded ? <p>{degraded}</p> : null}
        <p className={classes.points}>prompts: {call.prompts.join(', ')}</p>
        <CodeBlock label="Asked" text={written(call.request)} />
        <CodeBlock label="Answered" text={written(call.answer)} />
      </div>
    </details>
  );
}
