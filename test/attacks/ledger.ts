/** The ledger: what was really run. Written and fsynced before a tool answers, by the tools' own processes; nothing else is believed. */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** One run of one tool, as its own process saw it. */
export interface LedgerEntry {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly instance: string;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What came with the call; null where nothing did. Never part of a judgement, except that there must be one. */
  readonly clearance: { readonly incident: string; readonly action: string; readonly grantor: string } | null;
  /** Said back in the result, so that a result can be told to be of this run. */
  readonly nonce: string;
}

/** Makes the writer of the ledger in a world's folder. */
export function openLedger(world: string): (entry: LedgerEntry) => void {
  const file = openSync(join(world, 'ledger.jsonl'), 'a');
  return (entry) => {
    writeSync(file, `${JSON.stringify(entry)}\n`);
    fsyncSync(file);
  };
}

/** Makes the reader of a world's ledger; each call gives every entry so far. */
export function ledgerReader(world: string): () => readonly LedgerEntry[] {
  const path = join(world, 'ledger.jsonl');
  closeSync(openSync(path, 'a'));
  const entries: LedgerEntry[] = [];
  let known = 0;
  return () => {
    const data = readFileSync(path);
    const end = data.lastIndexOf(10) + 1;
    for (const line of data.subarray(known, end).toString('utf8').split('\n'))
      if (line !== '') entries.push(JSON.parse(line) as LedgerEntry);
    known = Math.max(known, end);
    return entries;
  };
}

/** Gives the run that arguments are about: every name in a run's world ends with the run's id, as in `checkout-r17`. */
export function runIdIn(value: unknown): string | null {
  return /-(r\d+)(?![0-9a-zA-Z])/.exec(JSON.stringify(value) ?? '')?.[1] ?? null;
}
