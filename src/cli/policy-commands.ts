import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { describeProblems, NightshiftError } from '../errors.ts';
import type { ShadowReport, TrackRecord } from '../gate/index.ts';
import { plain } from '../incident/index.ts';
import { createCatalogue, TOOLSETS } from '../mcp-tools/index.ts';
import {
  considered,
  lintPolicy,
  loadPolicy,
  loadPolicyTests,
  type Policy,
  type Question,
  runPolicyTests,
  type Verdict,
} from '../policy/index.ts';
import { findServer, type NightshiftClient } from './client.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** A judgement is kept with hundreds of runs. */
const PAGE = 25;

/** Adds the commands about the policy: is it sound, does it do what its tests say, why was something decided, what would change. */
export function addPolicyCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const policy = program.command('policy').description('what runs, what is asked, what never runs');

  policy
    .command('lint')
    .description('report every mistake in the policy; exit code 1 when there is one')
    .action(async () => {
      const config = loadConfig(terminal);
      const loaded = await loadPolicy(config.policies);
      const { tools } = createCatalogue(TOOLSETS, config.toolsets);
      const problems = lintPolicy(loaded, {
        toolNames: [...tools.keys()],
        argumentsOf: (tool) => Object.keys(tools.get(tool)?.input.shape ?? {}),
        people: config.people,
      });
      if (problems.length > 0)
        throw new NightshiftError(
          'invalid_policy',
          `${problems.length} mistake(s) in the policy:\n${describeProblems(problems)}`,
        );
      const { rules, overrides, limits, windows, secrets } = loaded;
      out(
        `the policy is in order: ${rules.length} rule(s), ${overrides.length} risk override(s), ${limits.length} limit(s), ${windows.length} window(s)${secrets.length > 0 ? `, ${secrets.length} argument(s) that may hold secrets` : ''}`,
      );
    });

  policy
    .command('test')
    .description('run the tests beside the policy (*.test.yaml); exit code 1 when one fails')
    .action(async () => {
      const config = loadConfig(terminal);
      const loaded = await loadPolicy(config.policies);
      const tests = await loadPolicyTests(config.policies);
      const catalogue = createCatalogue(TOOLSETS, config.toolsets);
      const results = runPolicyTests(tests, loaded, (tool, args, labels) => catalogue.resolve(tool, args, labels));
      for (const { path, name, passed, differences } of results) {
        out(`${passed ? 'ok    ' : 'FAILED'} ${path}: ${name}`);
        for (const difference of differences) out(`         ${difference}`);
      }
      const failed = results.filter(({ passed }) => !passed).length;
      if (failed > 0)
        throw new NightshiftError('invalid_policy', `${failed} of ${results.length} policy test(s) failed`);
      out(`${results.length} policy test(s) passed`);
    });

  policy
    .command('explain <id>')
    .description(
      "say why an action, or each action of an incident, was allowed, asked or denied, and what today's policy says",
    )
    .action(async (id: string) => {
      const loaded = await loadPolicy(loadConfig(terminal).policies);
      const { judgementsOf, rejudge } = await createReader(findServer(terminal));
      for (const judgement of await judgementsOf(`/judgements/${encodeURIComponent(id)}`)) {
        const { action, incident, tool, target, verdict, questions } = judgement;
        out(`${incident} ${action}: ${tool} on ${plain(target)}: ${decisionOf(verdict)}`);
        for (const { rule, decision, why } of verdict.spoke) out(`  ${decision.padEnd(5)} ${rule}: ${plain(why)}`);
        for (const line of new Set(questions.flatMap((question) => silentLines(question, loaded, questions.length))))
          out(`  -     ${line}`);
        const now = rejudge(judgement, loaded);
        if (now && !isSame(now, verdict)) out(`  the policy here would say now: ${decisionOf(now)} (${speakers(now)})`);
      }
    });

  policy
    .command('replay')
    .description('show what a changed policy would have decided over the incidents in the database')
    .option('--policies <folder...>', 'folders of the changed policy; those of nightshift.yaml otherwise')
    .option('--json', 'print one JSON object a line')
    .action(async ({ policies, json }: { policies?: string[]; json?: boolean }) => {
      const folders = policies?.map((folder) => resolve(terminal.directory, folder));
      const changed = await loadPolicy(folders ?? loadConfig(terminal).policies);
      const { judgementsOf, rejudge } = await createReader(findServer(terminal));
      const counts = { judged: 0, different: 0, partly: 0 };
      for (let after = ''; ; ) {
        const page = await judgementsOf(`/judgements?after=${encodeURIComponent(after)}&limit=${PAGE}`);
        for (const judgement of page) {
          const { action, incident, tool, target, verdict, questions } = judgement;
          const now = rejudge(judgement, changed);
          if (!now) continue;
          counts.judged += 1;
          if (questions.some(({ runsLeftOut }) => runsLeftOut > 0)) counts.partly += 1;
          if (isSame(now, verdict)) continue;
          counts.different += 1;
          const because = speakers(now);
          out(
            json
              ? JSON.stringify({
                  incident,
                  action,
                  tool,
                  target,
                  was: answerOf(verdict),
                  would: answerOf(now),
                  because,
                })
              : `${incident.padEnd(8)} ${tool} on ${plain(target)}: ${decisionOf(verdict)} → ${decisionOf(now)} (${because})`,
          );
        }
        const last = page.at(-1);
        if (!last || page.length < PAGE) break;
        after = last.action;
      }
      if (json) return;
      out(`${counts.different} of ${counts.judged} decision(s) would be different`);
      if (counts.partly > 0)
        out(
          `${counts.partly} of the ${counts.judged} counted more runs than are kept, so a limit may have known more than this replay`,
        );
    });

  policy
    .command('record')
    .description('show what came of each tool for each alert and service, and which promotions that has earned')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { records } = await findServer(terminal).request<{ records: TrackRecord[] }>('GET', '/track-records');
      if (json) return out(JSON.stringify(records, null, 2));
      if (records.length === 0) out('nothing was proposed yet');
      for (const { alertname, service, tool, proposed, approved, denied, ran, healed, worse, lowerBound } of records)
        out(
          `${plain(alertname)} / ${plain(service) || '-'} / ${tool}: proposed ${proposed}, approved ${approved}, denied ${denied}, ran ${ran}, healed ${healed}, made worse ${worse}; at least ${Math.floor(100 * lowerBound)} % healed`,
        );
      const earned = records.flatMap(({ suggestion }) => suggestion ?? []);
      if (earned.length > 0)
        out(
          `\nThese have earned a rule of their own; add it to your policy if you agree:\n\nrules:\n${earned.join('\n')}`,
        );
    });

  program
    .command('report')
    .description('reports')
    .command('shadow')
    .description('how often people did what Nightshift would have done where it only observes')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await findServer(terminal).request<ShadowReport>('GET', '/reports/shadow');
      if (json) return out(JSON.stringify(report, null, 2));
      if (report.tools.length === 0) return out('nothing was proposed in observe mode yet');
      for (const { tool, proposed, same, other, nothing, unsaid } of report.tools) {
        const told = same + other + nothing;
        out(
          `${tool}: proposed ${proposed} time(s); of ${told} told, people did the same ${same} time(s), something else ${other}, nothing ${nothing}${unsaid > 0 ? `; ${unsaid} not told (nightshift close INC-… --did same|other|nothing)` : ''}`,
        );
      }
    });
}

/** Makes the reader of past judgements; the room that knows their form is loaded only here, because it brings the whole server with it. */
async function createReader(client: NightshiftClient) {
  const { questionSchema, rejudge } = await import('../gate/index.ts');
  const judgementSchema = z.object({
    action: z.string(),
    incident: z.string(),
    tool: z.string(),
    target: z.string(),
    questions: z.array(questionSchema),
    verdict: z.custom<Verdict>((value) => typeof value === 'object' && value !== null),
  });
  return {
    rejudge,
    async judgementsOf(path: string) {
      const { judgements } = await client.request<{ judgements: unknown[] }>('GET', path);
      return z.array(judgementSchema).parse(judgements);
    },
  };
}

/** Says what kept each rule and limit about this tool silent, and which lines of `risks:` applied; of several alerts, about which. */
function silentLines(question: Question, policy: Policy, alerts: number): string[] {
  const { alertname = '', service = '' } = question.labels;
  const about = alerts > 1 ? ` about ${plain(alertname)} / ${plain(service) || '-'}` : '';
  return considered(question, policy).map(
    ({ rule, says, why }) => `${rule} ${says}${about}${why.length > 0 ? `: ${plain(why.join('; '))}` : ''}`,
  );
}

/** Says a decision with what it asks for: how many people, and who may answer. */
function decisionOf({ decision, approvals, approvers }: Verdict): string {
  if (decision !== 'ask') return decision;
  return `ask ${approvals} of ${approvers === null ? 'everyone who may approve' : approvers.join(', ')}`;
}

function answerOf({ decision, approvals, approvers }: Verdict) {
  return { decision, approvals, approvers };
}

function isSame(a: Verdict, b: Verdict): boolean {
  return JSON.stringify(answerOf(a)) === JSON.stringify(answerOf(b));
}

function speakers({ spoke, decision }: Verdict): string {
  return spoke
    .filter((one) => one.decision === decision)
    .map(({ rule }) => rule)
    .join(', ');
}
