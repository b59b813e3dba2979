/** Measures one part of Nightshift against what the machine itself can do in the same run: npm run bench -- ingest [--json]. */
import { parseArgs } from 'node:util';
import { measureEngine } from './engine/engine.ts';
import { measureIngest } from './ingest/ingest.ts';
import { keepRun, lastRun } from './last-run.ts';
import { measureLlm } from './llm/llm.ts';
import { measureMcp } from './mcp/mcp.ts';
import type { Measure } from './measure.ts';
import { measureRag } from './rag/rag.ts';
import { measureScale } from './scale/scale.ts';
import { measureStart } from './start/start.ts';
import { renderTable } from './table.ts';

const BENCHES: Readonly<
  Record<
    string,
    (options: { quick: boolean; say: (text: string) => void; corpora: string | null }) => Promise<Measure[]>
  >
> = {
  engine: measureEngine,
  ingest: measureIngest,
  llm: measureLlm,
  mcp: measureMcp,
  rag: measureRag,
  scale: measureScale,
  start: measureStart,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    corpora: { type: 'string' },
  },
});
const [name = ''] = positionals;
const bench = BENCHES[name];
if (!bench) {
  process.stderr.write(
    `usage: npm run bench -- NAME [--json] [--quick | --smoke] [--corpora DIR]\n  NAME     one of: ${Object.keys(BENCHES).join(', ')}\n  --json   one JSON object a line\n  --quick  one round instead of five, compared but not kept; for rag, speeds are not judged\n  --smoke  as --quick, and no figure is judged: only that each can be measured\n  --corpora  for rag: the folder with corpora/ and queries/\n`,
  );
  process.exit(2);
}
const before = lastRun(name);
const say = (text: string) => void process.stderr.write(`${text}\n`);
const quick = values.quick || values.smoke;
const measures = await bench({ quick, say, corpora: values.corpora ?? null });
for (const line of values.json ? measures.map((one) => JSON.stringify(one)) : renderTable(measures, before))
  process.stdout.write(`${line}\n`);
if (!quick && measures.length > 0) keepRun(name, measures);
const isMeasured = measures.length > 0 && measures.every(({ value }) => Number.isFinite(value));
if (values.smoke ? !isMeasured : measures.some(({ met }) => met === false)) process.exitCode = 1;
