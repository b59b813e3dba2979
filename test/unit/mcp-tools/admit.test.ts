import { createPublicKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createAdmit } from '../../../src/mcp-tools/admit.ts';
import { declarationSha256 } from '../../../src/mcp-tools/declaration.ts';
import type { Call, SignedClearance } from '../../../src/mcp-tools/index.ts';
import { defineTool, type RiskClass } from '../../../src/mcp-tools/tool.ts';
import { createMint } from '../../../src/policy/mint.ts';

const mint = createMint();
const settings = { never: 'prod' };
const tool = (risk: RiskClass | 'by arguments') =>
  defineTool({
    name: 'gate.open',
    description: 'Opens.',
    input: z.strictObject({ env: z.string() }),
    risk:
      risk === 'by arguments'
        ? ({ env }, { never }: typeof settings) => (env === never ? 'forbidden' : env === 'dev' ? 'read' : 'safe')
        : risk,
    target: ({ env }) => env,
    undo: 'close',
    timeoutSeconds: 1,
    run: async () => ({}),
  });
const clear = (env = 'dev', instance = 'east', risk: RiskClass = 'safe'): SignedClearance =>
  mint.clear(
    {
      instance,
      tool: 'gate.open',
      toolSha256: declarationSha256(tool(risk) as never),
      arguments: { env },
    } as unknown as Call,
    { incident: 'INC-1', action: 'a', grantor: 'p' },
    new Date(),
  );

const refused = (message: string) => expect.objectContaining({ code: 'tool_refused', message });

describe('what a toolset process lets through', () => {
  let admit: ReturnType<typeof createAdmit>;
  const ask = (risk: RiskClass | 'by arguments', signed?: unknown, env = 'dev') =>
    admit(tool(risk) as never, { given: { env }, input: { env }, signed });

  beforeEach(() => {
    // The clocks stand still, so that what is told apart by a millisecond is.
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.parse('2026-11-01T10:00:00Z') });
    vi.advanceTimersByTime(60_000);
    admit = createAdmit({
      instance: 'east',
      settings,
      publicKey: createPublicKey(mint.publicKey),
      clockSkewSeconds: 0,
    });
  });
  afterEach(() => void vi.useRealTimers());

  it('is whatever only reads, with a clearance or without', () => {
    for (const signed of [undefined, 'junk', clear()]) expect(() => ask('read', signed)).not.toThrow();
    expect(() => ask('by arguments', undefined, 'dev')).not.toThrow();
  });

  it.each(['safe', 'destructive', 'critical'] as const)(
    'is what is %s, only with a clearance for just that',
    (risk) => {
      expect(() => ask(risk)).toThrow('gate.open did not run: it came without a clearance');
      expect(() => ask(risk, clear('test'))).toThrow(/other arguments/);
      expect(() => ask(risk, clear('dev', 'west'))).toThrow(/another tool/);
      expect(() => ask(risk, clear('dev', 'east', 'read'))).toThrow(/declared otherwise here/);
      expect(() => ask(risk, clear('dev', 'east', risk))).not.toThrow();
    },
  );

  it('is never what is forbidden, also by its arguments and with a clearance', () => {
    const words = refused('gate.open is forbidden with these arguments');
    expect(() => ask('forbidden', clear())).toThrow(words);
    expect(() => ask('by arguments', clear('prod'), 'prod')).toThrow(words);
    expect(() => ask('by arguments', undefined, 'test')).toThrow(/without a clearance/);
  });

  it('is let through once on each clearance, as long as it is good', () => {
    const signed = clear();
    expect(() => ask('safe', signed)).not.toThrow();
    for (const ms of [0, 1, 7998]) {
      vi.advanceTimersByTime(ms);
      // Whatever else is let through meanwhile makes nobody forget.
      expect(() => ask('safe', clear())).not.toThrow();
      expect(() => ask('safe', signed)).toThrow(refused('gate.open did not run: its clearance was used before'));
    }
    vi.advanceTimersByTime(1);
    expect(() => ask('safe', signed)).toThrow(/has expired/);
  });

  it('remembers no clearance for longer than it is good', () => {
    const kept = vi.spyOn(Map.prototype, 'delete');
    for (let times = 0; times < 100; times += 1) ask('safe', clear());
    expect(kept).not.toHaveBeenCalled();
    vi.advanceTimersByTime(8000);
    ask('safe', clear());
    expect(kept).toHaveBeenCalledTimes(100);
    kept.mockRestore();
  });

  it('is nothing that was cleared before the process was started, whatever has been done to the clock since', () => {
    const signed = clear();
    const restartedAfter = (ms: number) => vi.spyOn(performance, 'now').mockReturnValue(ms);
    const before = restartedAfter(-1);
    expect(() => ask('safe', signed)).toThrow(/older than its toolset process/);
    before.mockReturnValue(0);
    expect(() => ask('safe', signed)).not.toThrow();
    // An hour back: the process's start would now lie in the future, its age does not.
    before.mockReturnValue(60_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(() => ask('safe', clear())).not.toThrow();
    before.mockRestore();
  });
});
