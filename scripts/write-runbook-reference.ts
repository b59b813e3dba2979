/** Writes docs/shipped-runbooks.md from the shipped runbooks and the scenarios that prove them: node scripts/write-runbook-reference.ts [--check]. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { matchesLabels, parseMatcherList } from '../src/alert/index.ts';
import { readScenario, type Scenario, scenarioFolders } from '../src/evaluation/index.ts';
import { parseRunbook, type Runbook } from '../src/rag/index.ts';

const ROOT = join(import.meta.dirname, '..');
const FILE = join(ROOT, 'docs/shipped-runbooks.md');
const HEAD = `# The shipped runbooks

Written by \`npm run runbook-reference\` from \`runbooks/\` and \`scenarios/\`; a test compares, lints them all, looks whether each is found first for
its alerts, and runs every incident below. They are for alerts as kube-prometheus, the node exporter's mixin, the rules for postgres_exporter, redis_exporter
and blackbox_exporter, and Awesome Prometheus alerts name them.

They are there by default, since \`runbooks: [runbooks]\` is. **A step runs only where an instance of its toolset is configured for the
alert, and the policy decides on each**: what is not \`safe\` asks people in every mode. Without the toolset, a runbook is a page to read. To have none of
them, name your own folder under \`runbooks:\`; to have some, copy them there. Yours for the same alert [contradicts](runbooks.md#runbooks-that-contradict-each-other)
the shipped one, and then neither acts alone: delete the one that you do not mean.

Some go by names that you declare: \`directories: { reclaimable: … }\` and \`logs: { rotatable: … }\` of a [host](tools.md#host), \`maxmemory-policy\` and
\`maxclients\` under \`configurable\` of a [Redis](tools.md#redis), \`redis.service\`, \`postgresql.service\`, \`chrony.service\`, \`certbot.service\` and \`nginx.service\`
under \`units\` of [systemd](tools.md#systemd). What is not declared is left alone.

| runbook | alerts | steps | recorded incident: how it ends |
|---|---|---|---|
`;

/** The shipped runbooks, in the order of their paths. */
export function shippedRunbooks(): Runbook[] {
  const folder = join(ROOT, 'runbooks');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .sort()
    .map((path) => parseRunbook(path, readFileSync(join(folder, path), 'utf8')));
}

/** The shipped scenarios, in the order of their names. */
export function shippedScenarios(): Scenario[] {
  return scenarioFolders(join(ROOT, 'scenarios')).flatMap((folder) => readScenario(folder).scenario ?? []);
}

/** Gives the scenarios whose first alert a runbook is for, and no runbook of their own: what becomes of them, it did. */
export function provenBy({ match }: Pick<Runbook, 'match'>, scenarios: readonly Scenario[]): Scenario[] {
  const isFor = (matchers: readonly string[], { alerts }: Scenario) => {
    const alert = alerts.find(({ noise }) => !noise);
    return matchers.length > 0 && alert !== undefined && matchesLabels(parseMatcherList([...matchers]), alert.labels);
  };
  return scenarios.filter(
    (one) =>
      one.shippedRunbooks &&
      isFor(match, one) &&
      !Object.entries(one.runbooks).some(([path, text]) => isFor(parseRunbook(path, text).match, one)),
  );
}

/** Writes the page that says which runbook is for which alerts, what it does, and which recorded incident proves it. */
export function renderRunbookReference(): string {
  const scenarios = shippedScenarios();
  const rows = shippedRunbooks().map((runbook) => {
    const { path, title, match, remedies } = runbook;
    const alerts = (match[0] ?? '').match(/"([^"]*)"/)?.[1]?.split('|') ?? [];
    const steps = remedies.flatMap(({ steps: own }) => own.map(({ tool }) => `\`${tool}\``));
    const ends = provenBy(runbook, scenarios).map(({ name, expect }) => `${name}: ${expect.outcome}`);
    const cells = [
      `[${title}](../runbooks/${path})`,
      alerts.map((name) => `\`${name}\``).join(', ') || 'found by its words',
      [...new Set(steps)].join(', ') || 'none: for people',
      ends.join('; ') || '–',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

if (import.meta.main) {
  const text = renderRunbookReference();
  const isCheck = process.argv.includes('--check');
  if (!isCheck) writeFileSync(FILE, text);
  else if (readFileSync(FILE, 'utf8') !== text) {
    process.stderr.write('docs/shipped-runbooks.md is not what the runbooks say. Fix: npm run runbook-reference\n');
    process.exitCode = 1;
  }
}
