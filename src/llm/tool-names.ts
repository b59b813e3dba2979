/** Tool names carry dots, which the providers' protocols forbid: an exact table maps them out and back. */
import { NightshiftError } from '../errors.ts';
import type { ToolSpec } from './model.ts';

const WIRE_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

export interface ToolNames {
  /** Gives the name to send; one that was not offered is made fit to send, since a model may have invented it. */
  toWire(name: string): string;
  /** Gives our name for one that came back; a name that was not offered comes back as it is. */
  fromWire(name: string): string;
}

/**
 * Makes the table for the tools offered in one request.
 * @throws NightshiftError `invalid_config` when a name cannot be sent or two would be the same once sent.
 */
export function toolNames(tools: readonly ToolSpec[]): ToolNames {
  const out = new Map<string, string>();
  const back = new Map<string, string>();
  for (const { name } of tools) {
    const wire = name.replaceAll('.', '__');
    if (!WIRE_NAME.test(wire))
      throw invalid(
        name,
        'no model can be sent this name',
        'use 1 to 64 of the characters a-z A-Z 0-9 _ - (a dot counts as two)',
      );
    const other = back.get(wire);
    if (other !== undefined)
      throw invalid(name, `models could not tell it from ${JSON.stringify(other)}`, 'rename one of the two');
    out.set(name, wire);
    back.set(wire, name);
  }
  return {
    toWire: (name) =>
      out.get(name) ??
      (name
        .replaceAll('.', '__')
        .replace(/[^a-zA-Z0-9_-]/g, '_')
        .slice(0, 64) ||
        '_'),
    fromWire: (name) => back.get(name) ?? name,
  };
}

function invalid(name: string, message: string, fix: string): NightshiftError {
  const problems = [{ field: 'tool name', value: name, message, fix }];
  return new NightshiftError('invalid_config', `tool name ${JSON.stringify(name)}: ${message}. Fix: ${fix}`, {
    problems,
  });
}
