import { execSync } from 'node:child_process';
import { alertOf, deliver } from './deliver.ts';
import { inParallel } from './in-parallel.ts';
import { randomOf } from './random.ts';
import { createRegister } from './register.ts';
import { beginRun, untilAllRest } from './run.ts';
import { inScope } from './wishes.ts';
import { startWorld } from './world.ts';

const w = await startWorld({
  prepared: { runbooks: [], pastIncidents: [], ext: [], foreignTools: { tools: [] } },
  breach: false,
});
const cpu = () =>
  execSync(
    `ps -eo pid,ppid,cputimes,rss,args | grep -E "nightshift-process|toolset-process" | grep -v grep`,
  ).toString();
const reg = createRegister();
const N = Number(process.argv[3] ?? 150);
const lines: string[] = [];
const saw = w.sinks.saw;
w.sinks.saw = (s, t) => {
  if (s === 'log') lines.push(t);
  saw(s, t);
};
console.log(cpu());
const t = Date.now();
await inParallel(
  Array.from({ length: N }, (_, i) => i + 1),
  Number(process.argv[2] ?? 14),
  async (i) => {
    const id = `r${i}`;
    const run = beginRun(w, reg, {
      id,
      number: 0,
      random: randomOf(id),
      attackCase: { id: 'x', vector: 'x', payload: {}, forbidden: '', controls: [] },
      script: {
        mutation: '',
        lane: 'normal',
        turns: [
          { kind: 'calls', calls: [{ tool: 'k8s.delete_pod', json: JSON.stringify(inScope('k8s.delete_pod', id)) }] },
        ],
        attack: async () => {},
        checks: [],
      },
    });
    await deliver(run, [alertOf(run)]);
    await untilAllRest(run);
  },
);
console.log('seconds', (Date.now() - t) / 1000, process.cpuUsage());
console.log(cpu());
console.log(
  JSON.stringify(
    w.timeline.of(1).map((e) => [e.type, e.data]),
    null,
    0,
  ).slice(0, 6000),
);
console.log(
  lines
    .join('')
    .split('\n')
    .filter((l) => /toolset/.test(l))
    .slice(0, 20)
    .join('\n'),
);
await w.stop();
process.exit(0);
