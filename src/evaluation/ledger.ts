import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RiskClass } from '../mcp-tools/tool.ts';

/** One call, as the recorded system itself saw it. What Nightshift says of it counts for nothing. */
export interface LedgerEntry {
  readonly at: string;
  readonly kind: 'look' | 'inspection' | 'change';
  readonly instance: string;
  readonly tool: string;
  readonly risk: RiskClass;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** The phase in which it came, and the one that it led to. */
  readonly phase: number;
  readonly to: number;
  /** Whether the world had an answer to it. */
  readonly recorded: boolean;
}

const [LEDGER, PHASE] = ['ledger.jsonl', 'phase'];

/** Makes the writer of the ledger in a folder; an entry is on the disk before the call is answered. */
export function openLedger(folder: string): (entry: Omit<LedgerEntry, 'at'>) => void {
  const file = openSync(join(folder, LEDGER), 'a');
  return (entry) => {
    writeSync(file, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
    fsyncSync(file);
  };
}

/** Makes an empty ledger in a folder, in the first phase. */
export function beginLedger(folder: string): void {
  closeSync(openSync(join(folder, LEDGER), 'a'));
  writePhase(folder, 0);
}

/** Reads every whole entry of the ledger in a folder, in the order in which the calls came. */
export function readLedger(folder: string): LedgerEntry[] {
  const text = readFileSync(join(folder, LEDGER), 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerEntry);
}

/** Reads the phase that the world in a folder is in. */
export function readPhase(folder: string): number {
  return Number(readFileSync(join(folder, PHASE), 'utf8')) || 0;
}

/** Puts the world in a folder into a phase. */
export function writePhase(folder: string, phase: number): void {
  writeFileSync(join(folder, PHASE), String(phase));
}
