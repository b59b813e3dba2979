import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSnapshots } from '../../../src/backup/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';

describe('scheduled snapshots', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nightshift-snapshots-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const snapshots = (
    now: string,
    dump: (path: string) => void = (path) => writeFileSync(path, ''),
    everyHours = 24,
  ) => {
    const lines: string[] = [];
    const metrics = createMetrics();
    const made = createSnapshots({
      dumper: {
        dump: async (path) => {
          dump(path);
          return { rows: 1, bytes: 1 };
        },
        stop: async () => {},
      },
      config: { everyHours, keep: 2, folder },
      metrics,
      log: createLogger('info', { write: (line) => void lines.push(line) }),
      now: () => new Date(now),
    });
    return { ...made, metrics, lines };
  };

  it('keeps the last so many and deletes nothing that it did not make', async () => {
    for (const name of [
      'nightshift-mine.dump.gz',
      'notes.txt',
      '.nightshift-copy-young',
      'nightshift-20200101T000000Z.dump.gz.bak',
    ])
      writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, '.nightshift-copy-old'));
    utimesSync(join(folder, '.nightshift-copy-old'), 0, 0);
    for (const day of ['01', '02', '03']) await snapshots(`2026-11-${day}T04:00:00.500Z`).takeNow();
    expect(readdirSync(folder).sort()).toEqual([
      '.nightshift-copy-young',
      'nightshift-20200101T000000Z.dump.gz.bak',
      'nightshift-20261102T040000Z.dump.gz',
      'nightshift-20261103T040000Z.dump.gz',
      'nightshift-mine.dump.gz',
      'notes.txt',
    ]);
  });

  it('takes away what processes that died have left, also where none are taken by the clock', async () => {
    const asked = '.nightshift-asked-0123456789abcdef.dump.gz';
    for (const name of [asked, `${asked}.77.part`, 'nightshift-20261101T040000Z.dump.gz.77.part']) {
      writeFileSync(join(folder, name), '');
      utimesSync(join(folder, name), 0, 0);
    }
    writeFileSync(join(folder, `${asked}.78.part`), '');
    utimesSync(join(folder, `${asked}.78.part`), Date.parse('2026-11-01') / 1000, Date.parse('2026-11-01') / 1000);
    const none = snapshots('2026-11-01T04:00:00Z', undefined, 0);
    none.start();
    await expect.poll(() => readdirSync(folder)).toEqual([`${asked}.78.part`]);
    await none.stop();
  });

  it('says that it failed, deletes nothing then, and stops nobody', async () => {
    for (const day of ['01', '02']) await snapshots(`2026-11-${day}T04:00:00Z`).takeNow();
    const failing = snapshots('2026-11-03T04:00:00Z', () => {
      throw new Error('no space left');
    });
    await failing.takeNow();
    expect(failing.lines.join()).toContain('no space left');
    expect(await failing.metrics.registry.metrics()).toContain('nightshift_snapshots_total{outcome="failed"} 1');
    expect(readdirSync(folder)).toHaveLength(2);
  });
});
