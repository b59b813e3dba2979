import { join } from 'node:path';
import { z } from 'zod';
import { runProgram } from './run-program.ts';

const INSPECTOR = join(import.meta.dirname, '../../node_modules/.bin/mcp-inspector');
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const SECONDS_MAX = 30;

const named = z.array(z.looseObject({ name: z.string() })).min(1);
/** What each method must be answered with. The tool that is called is one that only looks. */
const ASKED = [
  {
    name: 'tools/list --strict',
    args: ['--method', 'tools/list', '--strict'],
    answer: z.looseObject({ tools: named }),
  },
  {
    name: 'tools/call',
    args: ['--method', 'tools/call', '--tool-name', 'search_runbooks', '--tool-args-json', '{"query":"spool stuck"}'],
    answer: z.looseObject({ isError: z.literal(false).optional(), structuredContent: z.looseObject({}) }),
  },
  { name: 'resources/list', args: ['--method', 'resources/list'], answer: z.looseObject({ resources: named }) },
  { name: 'prompts/list', args: ['--method', 'prompts/list'], answer: z.looseObject({ prompts: named }) },
] as const;

/** What came of one method asked by the inspector; null where it is right. */
export interface Inspected {
  readonly name: string;
  readonly failure: string | null;
}

/** Asks a running server by the command line of the MCP inspector, over HTTP and through `nightshift mcp` on stdio. */
export async function inspect(url: string, token: string, folder: string): Promise<Inspected[]> {
  const doors = {
    http: ['--transport', 'http', '--server-url', `${url}/mcp`, '--header', `Authorization: Bearer ${token}`],
    stdio: [process.execPath, MAIN, 'mcp', '-e', `NIGHTSHIFT_URL=${url}`, '-e', `NIGHTSHIFT_TOKEN=${token}`],
  };
  // It keeps a catalogue and logins under HOME.
  const program = { seconds: SECONDS_MAX, env: { PATH: process.env.PATH, HOME: folder }, cwd: folder };
  const results: Inspected[] = [];
  for (const [door, target] of Object.entries(doors))
    for (const { name, args, answer } of ASKED) {
      const { status, out, err } = await runProgram(
        INSPECTOR,
        ['--cli', ...target, ...args, '--format', 'json'],
        program,
      );
      const failure = status === 0 ? whyWrong(out, answer) : `status ${status}: ${err.trim() || out.trim()}`;
      results.push({ name: `${door}: ${name}`, failure });
    }
  return results;
}

function whyWrong(out: string, schema: z.ZodType): string | null {
  try {
    z.object({ result: schema }).parse(JSON.parse(out));
    return null;
  } catch (error) {
    return `${(error as Error).message}: ${out.slice(0, 500)}`;
  }
}
