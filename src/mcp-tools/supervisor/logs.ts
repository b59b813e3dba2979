import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { askSupervisor, faultError, type SupervisorCall } from './client.ts';
import { canonicalProcess, processNameSchema, requireListedProcess, type SupervisorSettings } from './settings.ts';
import { decodeResponse } from './xml-rpc.ts';
import { replaceControls } from './xml-text.ts';

const BYTES_MAX = 64 * 1024;
const LINES_DEFAULT = 100;
/** A character of UTF-8 has at most four bytes, so a cut that falls into one is past it after three. */
const CUTS = [0, 1, 2, 3];

const input = z.strictObject({
  process: processNameSchema.describe('One process, as name or group:name.'),
  stream: z.enum(['stdout', 'stderr']).optional().describe('Its standard output, unless you say stderr.'),
  lines: z.number().int().min(1).max(500).optional().describe('How many lines at most, 100 otherwise.'),
});

const tailSchema = z.tuple([z.string(), z.number(), z.boolean()]);

/** Shows what one process wrote last, as far as supervisord keeps it in a file. */
export const logs = defineTool<SupervisorSettings, typeof input>({
  name: 'supervisor.logs',
  description: 'Shows the last lines that one process under supervisord wrote to its standard output or error.',
  input,
  risk: 'read',
  target: ({ process }) => `process ${canonicalProcess(process)}`,
  undo: 'nothing to undo',
  timeoutSeconds: 15,
  run: async ({ process, stream = 'stdout', lines = LINES_DEFAULT }, call) => {
    requireListedProcess(process, call.settings);
    const method = stream === 'stdout' ? 'tailProcessStdoutLog' : 'tailProcessStderrLog';
    const { text, isCut } = await tailOf(call, method, process);
    const all = text.split('\n').filter((line) => line !== '');
    const whole = isCut ? all.slice(1) : all;
    return { stream, lines: whole.slice(-lines), cut: isCut || whole.length > lines };
  },
});

/** supervisord fails (status 500) where its cut falls into a character, so the cut is moved. */
async function tailOf(
  call: SupervisorCall,
  method: string,
  process: string,
): Promise<{ text: string; isCut: boolean }> {
  for (const less of CUTS) {
    const { status, text: xml } = await askSupervisor(call, method, [process, 0, BYTES_MAX - less]);
    if (status === 500) continue;
    // What a program wrote may hold characters that XML cannot carry; supervisord passes them on as they are.
    const outcome = decodeResponse(replaceControls(xml));
    if (outcome.kind === 'fault') throw faultError(outcome.fault, process);
    const parsed = tailSchema.safeParse(outcome.value);
    if (!parsed.success) throw toolFailed('supervisord described a log in an unknown form');
    const [text, , isCut] = parsed.data;
    return { text, isCut };
  }
  const fix = 'read the file on its host; the path is in the configuration of supervisord';
  throw toolFailed(`the log of ${process} holds bytes that are not UTF-8, which supervisord cannot pass on`, { fix });
}
