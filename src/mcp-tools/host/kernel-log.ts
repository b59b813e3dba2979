import { z } from 'zod';
import { defineTool, toolFailed } from '../tool.ts';
import { machineOf, runSystem } from './choose-machine.ts';
import type { HostSettings } from './settings.ts';

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'] as const;
const LINES_MAX = 200;
const LINE_CHARACTERS_MAX = 500;
/** As dmesg writes it with --raw: `<priority>[seconds since the start] text`; the level is in the lower three bits. @see syslog(3) */
const LINE = /^<(\d{1,4})>\[\s*(\d+\.\d+)\](?:\[[^\]]*\])? (.*)$/;

const input = z.strictObject({
  level: z.enum(LEVELS).optional().describe('The least level that is shown; warn unless you say otherwise.'),
  minutes: z
    .number()
    .int()
    .min(1)
    .max(10_080)
    .optional()
    .describe('How far back, in minutes; 60 unless you say otherwise, a week at most.'),
});

/** Shows what the kernel said; an OOM kill, a failing disk or a full table of connections is there. */
export const kernelLog = defineTool<HostSettings, typeof input>({
  name: 'host.kernel_log',
  description:
    'Shows the last 200 lines that the kernel wrote, from a level and a time on: OOM kills, disk errors, resets.',
  input,
  risk: 'read',
  target: () => 'kernel log',
  undo: 'nothing to undo',
  timeoutSeconds: 15,
  run: async ({ level = 'warn', minutes = 60 }, context) => {
    const machine = machineOf(context);
    const { status, stdout, stderr } = await runSystem(machine, context.settings, {
      argv: ['dmesg', '-r'],
      isChange: false,
    });
    if (status !== 0)
      throw toolFailed(`the kernel's log cannot be read: ${stderr.trim().slice(0, 300)}`, {
        fix: 'set `sudo: true` for this toolset, or allow it to everybody (sysctl kernel.dmesg_restrict=0)',
      });
    const [stat, uptime] = await machine.texts(['/proc/stat', '/proc/uptime']);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(stat ?? '')?.[1]);
    const since = Number.parseFloat(uptime ?? '') - minutes * 60;
    const most = LEVELS.indexOf(level);
    const lines = stdout.split('\n').flatMap((text) => {
      const [, priority, seconds = '', message = ''] = LINE.exec(text) ?? [];
      const at = Number(priority) & 7;
      if (priority === undefined || at > most || Number(seconds) < since) return [];
      return [
        { at: timeOf(bootSeconds + Number(seconds)), level: LEVELS[at], text: message.slice(0, LINE_CHARACTERS_MAX) },
      ];
    });
    return { lines: lines.slice(-LINES_MAX), leftOut: Math.max(0, lines.length - LINES_MAX) };
  },
});

function timeOf(seconds: number): string | null {
  return Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : null;
}
