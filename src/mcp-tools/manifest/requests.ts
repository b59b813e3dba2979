import { z } from 'zod';
import type { Tool } from '../tool.ts';

const httpSchema = z.looseObject({ method: z.string(), path: z.string() });
const requestSchema = z.looseObject({
  http: httpSchema.optional(),
  run: z.looseObject({ argv: z.array(z.unknown()) }).optional(),
  sql: z.looseObject({ text: z.string() }).optional(),
  redis: z.array(z.unknown()).optional(),
});
/** What a tool says about its requests: one that is data in its manifest, one in TypeScript as lists of what it sends. */
const declaredSchema = z.looseObject({
  request: requestSchema.optional(),
  inspect: z.looseObject({ request: requestSchema }).optional(),
  dryRun: requestSchema.nullish(),
  requests: z.array(httpSchema).default([]),
  commands: z.array(z.array(z.string())).default([]),
});
export type DeclaredRequest = z.infer<typeof requestSchema>;

/** Gives every request that a tool declares: what it does, what it looks at before, and what it tries. */
export function requestsOf({ manifest }: Tool): DeclaredRequest[] {
  const declared = declaredSchema.safeParse(manifest);
  const { request, inspect, dryRun, requests, commands } = declared.data ?? declaredSchema.parse({});
  return [
    ...[request, inspect?.request, dryRun].filter((one) => one !== undefined && one !== null),
    ...requests.map((http) => ({ http })),
    ...commands.map((redis) => ({ redis })),
  ];
}

/** Writes the methods and paths of these tools' HTTP requests, each once, in the order of the alphabet. */
export function pathsOf(tools: readonly Tool[]): string[] {
  const all = tools.flatMap((tool) =>
    requestsOf(tool).flatMap(({ http }) =>
      http ? [`${http.method.padEnd(6)} ${http.path.replace(/\{\{ (?:before\.)?(\w+) \}\}/g, '{$1}')}`] : [],
    ),
  );
  return [...new Set(all)].sort();
}

/** Writes what has to be known about a system that is only reached over HTTP: by which methods and paths. */
export function reachText(head: readonly string[], tools: readonly Tool[]): string {
  const paths = pathsOf(tools);
  return [...head.map((line) => `# ${line}`), ...(paths.length > 0 ? paths : ['# none of its tools is enabled'])].join(
    '\n',
  );
}
