/** docs/quickstart.md, and then the drill of docs/disaster.md, run as they stand: what their commands print is what the pages say. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Nightshift, startNightshift } from '../../real-parts/nightshift.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';

const ROOT = join(import.meta.dirname, '../../..');
const quickstart = blocksOf(readFileSync(join(ROOT, 'docs/quickstart.md'), 'utf8'));
const [, drill = ''] = readFileSync(join(ROOT, 'docs/disaster.md'), 'utf8').split('\n## A drill\n');
const only = (language: string) => quickstart.find((block) => block.language === language)?.text ?? '';

describe('the quickstart', () => {
  const scratch = scratchDirectory();
  const dataDir = join(scratch.path, '.nightshift');
  const jobs = join(scratch.path, 'jobs');
  let nightshift: Nightshift;
  let approval = 'none was asked for';

  beforeAll(async () => {
    cpSync(join(ROOT, 'runbooks'), join(scratch.path, 'runbooks'), { recursive: true });
    writeFileSync(join(scratch.path, 'runbooks/quickstart.md'), only('markdown'));
    mkdirSync(jobs);
    const config = parse(here(only('yaml'))) as Record<string, unknown>;
    nightshift = await startNightshift({
      dataDir,
      config: { ...config, runbooks: [join(scratch.path, 'runbooks')] },
    });
  }, 120_000);
  afterAll(async () => {
    await nightshift?.stop();
    scratch.remove();
  });

  /** What the page calls by its own names, as it is called here. */
  function here(text: string): string {
    return text
      .replaceAll('/var/tmp/nightshift-quickstart', jobs)
      .replaceAll('/var/tmp', scratch.path)
      .replaceAll(/(?<=approve )[a-z0-9]{10}/g, approval);
  }

  async function run(commands: string): Promise<string> {
    const npm = `npm() { [ "$2" != nightshift ] || { shift 3; '${process.execPath}' '${ROOT}/src/main.ts' "$@"; }; }`;
    const { stdout } = await promisify(execFile)('/bin/bash', ['-c', `${npm}\n${here(commands)}`], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH ?? '',
        LANG: 'C.UTF-8',
        NIGHTSHIFT_CONFIG: join(dataDir, 'nightshift.yaml'),
        NIGHTSHIFT_DATA_DIR: dataDir,
      },
    });
    return stdout;
  }

  async function runAll(steps: readonly Step[]): Promise<void> {
    for (const { commands, printed } of steps) {
      let missing: string | null = null;
      await eventually(
        () => `${commands} prints: ${missing}`,
        async () => {
          const output = await run(commands);
          missing = firstMissing(here(printed), output);
          approval = /asks for an approval: (\w+)/.exec(output)?.[1] ?? approval;
          return missing === null || undefined;
        },
        60,
      );
    }
  }

  it('prints what it says, from the first command to the last', { timeout: 240_000 }, async () => {
    const steps = stepsOf(quickstart);
    expect(steps.filter(({ printed }) => printed !== '').length).toBeGreaterThanOrEqual(5);
    await runAll(steps);
  });

  it('can be restored from a backup, as the drill says', { timeout: 240_000 }, async () => {
    const steps = stepsOf(blocksOf(drill));
    expect(steps).toHaveLength(1);
    await runAll(steps);
  });
});

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
}

/** A block of commands with what it prints, as far as the page says so. */
interface Step {
  readonly commands: string;
  readonly printed: string;
}

function stepsOf(blocks: readonly Block[]): Step[] {
  return blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1];
    return language === 'sh' ? [{ commands: text, printed: next?.language === 'text' ? next.text : '' }] : [];
  });
}

/** The first of these lines that is not among those that follow the one before it; null where all are there. Ids and times may differ. */
function firstMissing(printed: string, output: string): string | null {
  const masked = (text: string) =>
    text
      .replaceAll(/\d\d:\d\d:\d\d/g, 'TIME')
      .replaceAll(/\d+ event\(s\)/g, 'EVENTS')
      .replaceAll(/asks for an approval: \w+|act-\w+|after 1 attempt, \d+ s/g, 'ID')
      .trimEnd()
      .split('\n');
  const lines = masked(output);
  let from = 0;
  for (const line of masked(printed)) {
    if (line.trim() === '…' || line === '') continue;
    const at = lines.indexOf(line, from);
    if (at === -1) return line;
    from = at + 1;
  }
  return null;
}
