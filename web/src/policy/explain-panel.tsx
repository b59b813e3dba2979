import { Button, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../api/client.ts';
import type { PolicyExplanation, PolicyQuestion } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { Trouble } from '../components/trouble.tsx';
import { DecisionMark } from './decision-mark.tsx';
import classes from './policy.module.css';
import { readLabels } from './read-labels.ts';

/** Asks the policy what it would say to a call, and every rule why. */
export function ExplainPanel() {
  const [tool, setTool] = useState('');
  const [args, setArgs] = useState('{}');
  const [labels, setLabels] = useState('');
  const explain = useMutation({
    meta: { isShown: true },
    mutationFn: (question: PolicyQuestion) => ask<PolicyExplanation>('/policy/explain', { body: question }),
  });
  const [isSent, setSent] = useState(false);
  const [read, readAsLabels] = [readArguments(args), readLabels(labels)];
  const send = () => {
    setSent(true);
    if (read !== null && readAsLabels !== null)
      explain.mutate({ tool: tool.trim(), arguments: read, labels: readAsLabels });
  };
  return (
    <Panel title="What would the policy say?">
      <Card>
        <form
          className={classes.form}
          // An answer is that to the question which stands above it.
          onChange={() => {
            setSent(false);
            explain.reset();
          }}
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <TextInput
            label="Tool"
            placeholder="supervisor.restart"
            value={tool}
            onChange={(event) => setTool(event.currentTarget.value)}
            required
            withAsterisk={false}
          />
          <Textarea
            label="Arguments"
            value={args}
            onChange={(event) => setArgs(event.currentTarget.value)}
            rows={2}
            error={isSent && read === null ? 'Write the arguments as JSON: {"process": "checkout"}.' : null}
          />
          <TextInput
            label="Labels of the alert"
            placeholder="alertname=ServiceDown, service=checkout"
            value={labels}
            onChange={(event) => setLabels(event.currentTarget.value)}
            error={isSent && readAsLabels === null ? 'Write each label as name=value, with commas between them.' : null}
          />
          <Button type="submit" variant="default" loading={explain.isPending}>
            Explain
          </Button>
        </form>
        {explain.error ? <Trouble error={explain.error} /> : null}
        {explain.data ? <Answer explanation={explain.data} /> : null}
      </Card>
    </Panel>
  );
}

function Answer({
  explanation: { decision, approvals, spoke, stopped, alsoConsidered = [] },
}: {
  readonly explanation: PolicyExplanation;
}) {
  return (
    <div className={classes.answer} role="status">
      <p>
        <DecisionMark decision={decision} />{' '}
        {approvals > 0 ? `by ${approvals} ${approvals === 1 ? 'person' : 'different people'}` : ''}
      </p>
      {stopped ? <p>Nothing is sent in any case: {stopped}</p> : null}
      {spoke.map(({ rule, decision: said, why }) => (
        <p key={`${rule} ${said}`} className={classes.spoke}>
          <DecisionMark decision={said} />
          <span>
            <b>{rule}</b> {why}
          </span>
        </p>
      ))}
      {alsoConsidered.length > 0 ? (
        <details className={classes.silent}>
          <summary>
            {alsoConsidered.length} more {alsoConsidered.length === 1 ? 'rule' : 'rules'} about this tool did not speak
          </summary>
          {alsoConsidered.map(({ rule, why }) => (
            <p key={rule}>
              {rule}: {typeof why === 'string' ? why : why.join('; ')}
            </p>
          ))}
        </details>
      ) : null}
    </div>
  );
}

function readArguments(text: string): Record<string, unknown> | null {
  try {
    const read: unknown = JSON.parse(text.trim() || '{}');
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
