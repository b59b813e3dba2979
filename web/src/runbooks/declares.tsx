import type { Declaration } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { span } from '../components/time.ts';
import classes from './runbooks.module.css';

type Step = Declaration['remedies'][number]['steps'][number];
type Check = Declaration['verify'][number];

/** What a runbook may do by itself, when, and how it tells that it worked. */
export function Declares({ declaration: { remedies, verify, escalateTo } }: { readonly declaration: Declaration }) {
  if (remedies.length + verify.length === 0) return null;
  return (
    <Panel title="What it does">
      <Card>
        {remedies.map(({ name, when, steps }) => (
          <div key={name} className={classes.declared}>
            {remedies.length > 1 ? <h3>{name}</h3> : null}
            {when.map((check) => (
              <Call key={written(check)} call={check} says={`only where ${check.expect}`} />
            ))}
            {steps.map((step) => (
              <Call key={written(step)} call={step} says={step.why} />
            ))}
          </div>
        ))}
        {verify.length > 0 ? (
          <div className={classes.declared}>
            <h3>It worked when</h3>
            {verify.map((check) => (
              <Call key={written(check)} call={check} says={`${check.expect} within ${span(check.withinSeconds)}`} />
            ))}
          </div>
        ) : null}
        {escalateTo ? (
          <div className={classes.declared}>
            <h3>Otherwise call</h3>
            <p>{escalateTo}</p>
          </div>
        ) : null}
      </Card>
    </Panel>
  );
}

function Call({ call, says }: { readonly call: Pick<Step | Check, 'tool' | 'with'>; readonly says: string }) {
  return (
    <div>
      <code>{call.tool}</code>
      <ul className={classes.given}>
        {Object.entries(call.with).map(([name, value]) => (
          <li key={name}>
            {name}: {typeof value === 'string' ? value : JSON.stringify(value)}
          </li>
        ))}
      </ul>
      <p>{says}</p>
    </div>
  );
}

const written = (call: object) => JSON.stringify(call);
