/** Measures one part of Nightshift against what the machine itself can do in the same run: npm run bench -- ingest [--json]. */
import { parseArgs } from 'node:util';
import { measureIngest } from './ingest/ingest.ts';
import { keepRun, lastRun } from './last-run.ts';
import type { Measure } from './measure.ts';
import { renderTable } from './table.ts';

const BENCHES: Readonly<
  Record<string, (options: { quick: boolean; say: (text: string) => void }) => Promise<Measure[]>>
> = { ingest: measureIngest };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const [name = ''] = positionals;
const bench = BENCHES[name];
if (!bench) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--json] [--quick]\n  NAME     one of: ${Object.keys(BENCHES).join(', ')}\n  --json   one JSON object a line\n  --quick  one round instead of five, compared but not kept\n`,
  );
  process.exit(2);
}
const before = lastRun(name);
const say = (text: string) => void process.stderr.write(`${text}\n`);
const measures = await bench({ quick: values.quick, say });
for (const line of values.json ? measures.map((one) => JSON.stringify(one)) : renderTable(measures, before))
  process.stdout.write(`${line}\n`);
if (!values.quick) keepRun(name, measures);
if (measures.some(({ met }) => met === false)) process.exitCode = 1;
