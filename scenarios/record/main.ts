/** Records every scenario again, one system after the other: `npm run record-scenarios`, or only those named: `npm run record-scenarios redis host`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const SYSTEMS = [
  'redis',
  'postgres',
  'postgres-sessions',
  'application',
  'docker',
  'systemd',
  'services',
  'host',
  'network',
  'kubernetes',
  'kubernetes-pods',
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SYSTEMS.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`there is no recorder ${unknown.join(', ')}. Fix: name some of ${SYSTEMS.join(', ')}\n`);
  process.exit(2);
}
// A process for each: what one of them leaves behind must not be in the next one's records.
for (const name of asked.length > 0 ? asked : SYSTEMS) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdio: 'inherit' });
  if (status !== 0) {
    process.stderr.write(`the recorder ${name} failed. Fix: see above; docs/evals.md names what it needs\n`);
    process.exitCode = 1;
  }
}
