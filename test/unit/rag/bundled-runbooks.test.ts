import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRunbook } from '../../../src/rag/index.ts';

const FOLDER = join(import.meta.dirname, '../../../runbooks');
const bundled = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
const OF_THE_DEMO = ['high-error-rate.md', 'job-spool-stuck.md', 'service-down.md'];

describe('the bundled runbooks', () => {
  it.each(bundled)('%s has no problem', (name) => {
    expect(parseRunbook(name, readFileSync(join(FOLDER, name), 'utf8')).problems).toEqual([]);
  });

  it('act as the demo expects', () => {
    const acting = OF_THE_DEMO.map((name) => parseRunbook(name, readFileSync(join(FOLDER, name), 'utf8'))).map(
      ({ path, match, remedies, verify }) => [
        path,
        match,
        remedies.flatMap(({ steps }) => steps.map(({ tool }) => tool)),
        verify.map(({ expect: expected }) => expected),
      ],
    );
    expect(acting).toEqual([
      ['high-error-rate.md', [], [], []],
      ['job-spool-stuck.md', ['alertname="JobSpoolStuck"'], ['host.purge'], ['status == 200', 'count == 0']],
      ['service-down.md', ['alertname="ServiceDown"'], ['supervisor.restart'], ['status == 200']],
    ]);
  });
});
