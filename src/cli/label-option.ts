import { NightshiftError } from '../errors.ts';

/** Reads one `--label name=value` into those before it. @throws NightshiftError `invalid_payload` where it is none. */
export function collectLabel(pair: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([a-zA-Z_][a-zA-Z0-9_]*)=([\s\S]*)$/.exec(pair) ?? [];
  if (name !== undefined && value !== undefined) return { ...before, [name]: value };
  const fix = 'write --label name=value, for example --label service=checkout';
  const problem = { field: '--label', value: pair, message: 'is no label', fix };
  throw new NightshiftError('invalid_payload', `--label: ${JSON.stringify(pair)} is no label. Fix: ${fix}`, {
    problems: [problem],
  });
}
