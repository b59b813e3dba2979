import type { KeyObject } from 'node:crypto';
import { NightshiftError } from '../errors.ts';
import { verifyClearance } from './clearance.ts';
import { declarationSha256 } from './declaration.ts';
import { riskOf, type Tool } from './tool.ts';

/** Lets a call through or throws; `given` are the arguments as they came, `input` the same after the tool's schema. */
export type Admit = (tool: Tool, call: { given: unknown; input: unknown; signed: unknown }) => void;

/**
 * Makes the guard of one toolset process: whoever calls, a tool that is not `read` does not run without a clearance for exactly
 * this call, issued since the process was started, and only once on each.
 */
export function createAdmit({
  instance,
  settings,
  publicKey,
  clockSkewSeconds,
}: {
  instance: string;
  settings: unknown;
  publicKey: KeyObject;
  clockSkewSeconds: number;
}): Admit {
  /** Clearances already used, until they expire. */
  const spent = new Map<string, number>();
  return (tool, { given, input, signed }) => {
    const risk = riskOf(tool, input, settings);
    if (risk === 'read') return;
    if (risk === 'forbidden')
      throw new NightshiftError('tool_refused', `${tool.name} is forbidden with these arguments`);
    const now = new Date();
    const clearance = verifyClearance(
      signed,
      { instance, tool: tool.name, toolSha256: declarationSha256(tool), arguments: given },
      // By the process's age and not by its start, which a clock that is set meanwhile would put out of place.
      { publicKey, now, since: new Date(now.getTime() - performance.now()), clockSkewSeconds },
    );
    for (const [nonce, expiresAt] of spent) if (expiresAt <= now.getTime()) spent.delete(nonce);
    if (spent.has(clearance.nonce))
      throw new NightshiftError('tool_refused', `${tool.name} did not run: its clearance was used before`);
    spent.set(clearance.nonce, new Date(clearance.expiresAt).getTime());
  };
}
