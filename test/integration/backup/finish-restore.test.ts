import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { finishRestore } from '../../../src/backup/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

// What differs between databases is the business of the other tests.
const [{ open }] = databases as [(typeof databases)[number]];

it('puts files in their places only for the newest restore, and not for one that is the past of the backup', async () => {
  const db = await open();
  const scratch = scratchDirectory();
  const [older, newer] = ['a'.repeat(64), 'b'.repeat(64)];
  try {
    for (const sha256 of [older, newer]) {
      await addEvents(db, null, [{ type: 'backup.restored', actor: 'nightshift', data: { sha256 } }]);
    }
    const log = createLogger('silent');
    const file = join(scratch.path, 'kill-switch');
    writeFileSync(`${file}.restored-${older}`, '');
    await finishRestore(db, { dataDir: scratch.path, log });
    expect(existsSync(file)).toBe(false);
    writeFileSync(`${file}.restored-${newer}`, '');
    await finishRestore(db, { dataDir: scratch.path, log });
    expect(existsSync(file)).toBe(true);
  } finally {
    await db.close();
    scratch.remove();
  }
});
