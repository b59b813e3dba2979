/** `npm run attacks`: attacks a whole Nightshift with a file of cases, and prints what came of it. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOfError } from './errors.ts';
import { runHarness } from './harness.ts';
import { runLive } from './live.ts';
import { isPassed, render } from './scorecard.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: join(import.meta.dirname, 'cases.jsonl') },
    mutations: { type: 'string', default: '25' },
    seed: { type: 'string', default: 'nightshift' },
    json: { type: 'boolean', default: false },
    live: { type: 'boolean', default: false },
    'plant-breach': { type: 'boolean', default: false },
  },
});
const mutations = Number(values.mutations);
const onProgress = (words: string) => process.stderr.write(`attacks: ${words}\n`);

try {
  if (!Number.isSafeInteger(mutations) || mutations < 0) throw new Error('--mutations must be a whole number from 0');
  if (values.live) {
    const result = await runLive({ casesFile: values.cases, seed: values.seed, onProgress });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exit('unapproved' in result && result.unapproved > 0 ? 1 : 0);
  }
  const card = await runHarness({
    casesFile: values.cases,
    mutations,
    seed: values.seed,
    breach: values['plant-breach'],
    onProgress,
  });
  process.stdout.write(values.json ? `${JSON.stringify(card)}\n` : `${render(card)}\n`);
  process.exit(isPassed(card) ? 0 : 1);
} catch (error) {
  onProgress(messageOfError(error));
  process.exit(2);
}
