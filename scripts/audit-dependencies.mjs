#!/usr/bin/env node
/**
 * Asks npm's registry which known vulnerabilities the locked production dependencies have, and fails for one that is high or critical. A mirror
 * may have no advisories: then it says that nothing was audited, which is a failure where NIGHTSHIFT_REQUIRE_AUDIT is 1.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const { stdout, stderr } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--loglevel=error'], {
  cwd: join(import.meta.dirname, '..'),
  encoding: 'utf8',
  timeout: 60_000,
});
const report = parse(stdout);
const counts = report?.metadata?.vulnerabilities;
if (!counts) {
  const why = report?.message ?? report?.error?.summary ?? (stderr.trim() || 'npm gave no report');
  console.log(`NOT AUDITED: ${why}`);
  process.exit(process.env.NIGHTSHIFT_REQUIRE_AUDIT === '1' ? 1 : 0);
}
for (const { name, severity, via } of Object.values(report.vulnerabilities)) {
  const titles = via.map((one) =>
    typeof one === 'string' ? `through ${one}` : `${one.title} (${one.range}) ${one.url}`,
  );
  console.log(`${severity}: ${name}: ${titles.join('; ')}`);
}
const { high, critical, total } = counts;
console.log(
  `${total} known vulnerabilities in ${report.metadata.dependencies.prod} production dependencies, ${high + critical} of them high or critical`,
);
if (high + critical > 0) process.exit(1);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
