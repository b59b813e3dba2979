import type { Command } from 'commander';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

interface ShownScore {
  readonly incident: string;
  readonly cycle: number;
  readonly status: string;
  readonly model: string | null;
  readonly cause: number | null;
  readonly grounded: number | null;
  readonly outcome: number | null;
  readonly reason: string;
  readonly good: boolean | null;
  readonly helpful: number;
  readonly unhelpful: number;
}

interface ShownAgreement {
  readonly incidents: number;
  readonly share: number | null;
  readonly kappa: number | null;
  readonly bothGood: number;
  readonly judgeGood: number;
  readonly peopleGood: number;
  readonly bothBad: number;
}

/** Adds the commands about how good the handling was: a person's word on one incident, and the scores of the judge beside such words. */
export function addJudgeCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;

  program
    .command('feedback <incident> <verdict>')
    .description('say whether the handling of an incident was good or bad; your latest word counts')
    .option('--why <text>', 'why, for whoever reads the timeline', '')
    .action(async (incident: string, verdict: string, { why }: { why: string }) => {
      if (verdict !== 'good' && verdict !== 'bad')
        throw new NightshiftError(
          'invalid_payload',
          `verdict: ${JSON.stringify(verdict)} is no verdict. Fix: say good or bad`,
        );
      await findServer(terminal).request('POST', `/incidents/${encodeURIComponent(incident)}/feedback`, {
        verdict,
        why,
      });
      out(`${incident}: noted as ${verdict}; whoever looks for similar incidents will see it`);
    });

  program
    .command('judge')
    .description('show what a model says of the handling of incidents, and how far people agree with it')
    .option('--limit <count>', 'how many of the newest to show', wholeNumber(1, 500), 20)
    .option('--json', 'print JSON')
    .action(async ({ limit, json }: { limit: number; json?: boolean }) => {
      const answer = await findServer(terminal).request<{ agreement: ShownAgreement; scores: ShownScore[] }>(
        'GET',
        `/judge?limit=${limit}`,
      );
      if (json) return out(JSON.stringify(answer, null, 2));
      for (const line of renderAgreement(answer.agreement)) out(line);
      if (answer.scores.length === 0)
        return out('nothing was scored yet (judge.share in nightshift.yaml says how much is)');
      for (const score of answer.scores) out(renderScore(score));
    });
}

function renderAgreement({ incidents, share, kappa, ...counts }: ShownAgreement): string[] {
  if (share === null) return ['agreement with people: no incident has both a score and a vote yet'];
  const beyond = kappa === null ? 'kappa says nothing (all of one kind)' : `Cohen's kappa ${kappa.toFixed(2)}`;
  return [
    `agreement with people: ${Math.round(100 * share)} % of ${incidents} incident(s), ${beyond}`,
    `  both good ${counts.bothGood}, both bad ${counts.bothBad}, only the judge good ${counts.judgeGood}, only people good ${counts.peopleGood}`,
  ];
}

function renderScore({
  incident,
  cycle,
  status,
  model,
  cause,
  grounded,
  outcome,
  reason,
  helpful,
  unhelpful,
}: ShownScore): string {
  const which = `${incident}${cycle > 1 ? ` (time ${cycle})` : ''}`.padEnd(10);
  const votes = helpful + unhelpful > 0 ? `  👍 ${helpful} 👎 ${unhelpful}` : '';
  if (status === 'asking') return `${which} waits for a score${votes}`;
  if (status === 'given_up') return `${which} not scored: ${plain(reason)}${votes}`;
  return `${which} cause ${cause}, grounded ${grounded}, outcome ${outcome} (${plain(model ?? '')})${votes}`;
}
