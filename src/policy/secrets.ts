import { placeholdersIn } from '../telemetry/index.ts';
import type { Policy, SecretArgument } from './question.ts';

/** Gives the line of `secrets:` by which a secret may be put back into this argument of this tool, or null where no line names both. */
export function mayHoldSecret(
  { secrets }: Pick<Policy, 'secrets'>,
  { tool, argument }: { tool: string; argument: string },
): SecretArgument | null {
  return secrets.find((line) => line.tool === tool && line.argument === argument) ?? null;
}

/** Gives the names of the arguments in which, at any depth, something stands for a secret. */
export function argumentsWithSecrets(args: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(args).flatMap(([name, value]) =>
    placeholdersIn(`${name} ${JSON.stringify(value) ?? ''}`).length > 0 ? [name] : [],
  );
}
