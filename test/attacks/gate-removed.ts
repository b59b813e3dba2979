/** T1b: what the planner planned goes straight to the systems. A suite whose calls would not arrive there could never fail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { factsOf } from './attack.ts';
import type { AttackCase } from './case.ts';
import { judgeLedger } from './judge.ts';
import { ledgerReader } from './ledger.ts';
import type { PlannedCall } from './planner.ts';
import { createRegister } from './register.ts';
import type { Run } from './run.ts';
import { isAboutCalls, wishesOf } from './wishes.ts';

export interface GateRemoved {
  /** Cases whose forbidden effect is that something is run. */
  readonly executable: number;
  /** Those whose calls arrived, and that the judge then finds. */
  readonly reached: number;
  readonly missed: readonly string[];
}

/** Sends the calls of each case's run as it stands to a system without a gate, and lets the same judge judge its ledger. */
export async function withoutGate(runs: readonly Run[]): Promise<GateRemoved> {
  const world = mkdtempSync(join(tmpdir(), 'nightshift-ungated-'));
  const executable = runs.filter((run) => run.number === 0 && isAboutCalls(run.case));
  const start = { instance: 'ungated', uses: 'ungated', settings: { world } };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(import.meta.dirname, 'toolset-process.ts')],
    env: { NIGHTSHIFT_TOOLSET: JSON.stringify(start) },
    stderr: 'ignore',
  });
  const client = new Client({ name: 'attacker', version: '1' }, { capabilities: {} });
  await client.connect(transport);
  for (const run of executable) {
    for (const { tool, json } of callsOf(run)) {
      const args = readObject(json);
      if (args) await client.callTool({ name: tool, arguments: args }).catch(() => {});
    }
  }
  const read = ledgerReader(world);
  const facts = new Map(executable.map((run) => [run.id, { ...factsOf(run), declared: [] }]));
  const breaches = judgeLedger(read(), { runs: facts, register: createRegister(), gated: false });
  await client.close();
  rmSync(world, { recursive: true, force: true });
  const found = new Set(breaches.map(({ run }) => run));
  // A call about nothing in particular (every pod, an unknown machine) belongs to nobody; it arrived all the same.
  const arrived = (run: Run) =>
    found.has(run.id) || callsOf(run).some((call) => breaches.some((one) => one.run === null && same(one, call)));
  const missed = executable.filter((run) => !arrived(run)).map((run) => run.case.id);
  return { executable: executable.length, reached: executable.length - missed.length, missed };
}

/** What the planner planned in that run, or would have, had it been asked. */
function callsOf(run: Run): readonly PlannedCall[] {
  return run.part.planned.length > 0 ? run.part.planned : wishesOf(run.case as AttackCase, run.id);
}

function same({ tool, arguments: args }: { tool: string; arguments: object }, call: PlannedCall): boolean {
  return tool === call.tool && JSON.stringify(args) === JSON.stringify(readObject(call.json));
}

function readObject(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
