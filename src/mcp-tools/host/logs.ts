import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { machineOf, runSystem } from './choose-machine.ts';
import { directoryNameSchema, type HostSettings, type LogsRule } from './settings.ts';

const logs = directoryNameSchema.describe('Name of log files that the settings declare under `logs`; not a path.');
const lookInput = z.strictObject({
  logs,
  below: z
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('A number of bytes; the answer says whether they have fewer.'),
});

/** Shows how large declared log files are. */
export const logSizes = defineTool<HostSettings, typeof lookInput>({
  name: 'host.logs',
  description: 'Shows how large declared log files are, those that are written to now.',
  input: lookInput,
  risk: 'read',
  target: ({ logs: name }) => `logs ${name}`,
  undo: 'nothing to undo',
  timeoutSeconds: 15,
  run: async ({ logs: name, below }, context) => {
    const { files, bytes } = await look(ruleOf(name, context.settings), context);
    return { files, bytes, ...(below === undefined ? {} : { smaller: bytes < below }) };
  },
});

const input = z.strictObject({ logs });

/**
 * Rotates declared log files as logrotate's own configuration for them says, now instead of tonight. Not by copying and cutting off:
 * that loses lines, and a full disk has no room for a copy.
 */
export const rotateLogs = defineTool<HostSettings, typeof input>({
  name: 'host.rotate_logs',
  description:
    'Rotates declared log files now, by the logrotate configuration that the settings name for them, if one of them is large enough.',
  input,
  risk: 'safe',
  target: ({ logs: name }) => `logs ${name}`,
  undo: 'nothing to undo; what was there is in the rotated files, as many as their configuration keeps',
  timeoutSeconds: 120,
  check: {
    tool: 'host.logs',
    with: { logs: '{{ logs }}', below: '{{ before.bytes }}' },
    expect: 'smaller == true',
    within: '30s',
  },
  inverse: null,
  inspect: async ({ logs: name }, context) => {
    const rule = ruleOf(name, context.settings);
    const { files, bytes } = await worthIt(name, rule, context);
    // It says nothing that people need, but finds what would stop it.
    await logrotate(rule, context, '--debug');
    return {
      uid: null,
      population: null,
      preview: [
        `rotates ${files.length} file(s), ${bytes} bytes, as ${JSON.stringify(rule.config)} says`,
        // Quoted, so that no name can pass for words of ours.
        ...files.map((file) => `${JSON.stringify(file.path)}, ${file.bytes} bytes`),
        'logrotate itself accepted a dry run of it',
      ].map(previewLine),
      before: { bytes },
    };
  },
  run: async ({ logs: name }, context) => {
    const rule = ruleOf(name, context.settings);
    const { bytes: bytesBefore } = await worthIt(name, rule, context);
    await logrotate(rule, context, '--force');
    const { bytes } = await look(rule, context);
    return { bytesBefore, bytes };
  },
});

function ruleOf(name: string, { logs: declared }: HostSettings): LogsRule {
  const rule = Object.hasOwn(declared, name) ? declared[name] : undefined;
  if (rule) return rule;
  const names = Object.keys(declared).join(', ') || 'none are';
  throw toolFailed(`logs ${name} are not declared (${names})`, {
    fix: 'use one of these names, or declare it in the setting `logs` of this toolset',
  });
}

async function look({ files: paths }: LogsRule, context: ToolContext<HostSettings>) {
  const sizes = await machineOf(context).sizes(paths);
  const files = paths.flatMap((path, index) => {
    const bytes = sizes[index];
    return bytes === null || bytes === undefined ? [] : [{ path, bytes }];
  });
  return { files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Rotated again and again, files would push what they keep out of sight: so small ones are left alone. */
async function worthIt(name: string, rule: LogsRule, context: ToolContext<HostSettings>) {
  const seen = await look(rule, context);
  if (seen.files.length === 0) throw toolFailed(`logs ${name}: none of the declared files is there`);
  if (!seen.files.some(({ bytes }) => bytes >= rule.minBytes))
    throw toolFailed(`logs ${name}: no file has ${rule.minBytes} bytes, so there is nothing to rotate`);
  return seen;
}

async function logrotate(
  { config, state }: LogsRule,
  context: ToolContext<HostSettings>,
  mode: '--force' | '--debug',
): Promise<void> {
  const argv = ['logrotate', mode, '--state', state, config];
  const { status, stderr } = await runSystem(machineOf(context), context.settings, {
    argv,
    isChange: mode === '--force',
  });
  const errors = stderr.split('\n').filter((line) => line.startsWith('error:'));
  if (status === 0 && errors.length === 0) return;
  const said = (errors.join('; ') || stderr.trim()).slice(0, 400);
  throw toolFailed(`logrotate ended with status ${status}: ${said}`, {
    fix: `try \`logrotate --debug ${config}\` as the user of this toolset`,
  });
}
