import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json, openEmbedded } from '../../../src/database/index.ts';
import { copyEmbedded } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const HOLDER = `
import { openEmbedded } from './src/database/index.ts';
const db = await openEmbedded(process.argv[1]);
console.log('open');
setInterval(() => {}, 1000);
`;

describe('the embedded data directory', () => {
  let directory: { path: string; remove: () => void };
  beforeEach(async () => {
    directory = scratchDirectory();
    await copyEmbedded(directory.path);
  });
  afterEach(() => directory.remove());

  it('is refused to a second process, with its holder, and free again the moment that one is killed', async () => {
    const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', HOLDER, directory.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await expect(openEmbedded(directory.path)).rejects.toMatchObject({
      code: 'data_dir_locked',
      message: expect.stringContaining(`process ${holder.pid}`),
    });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const db = await openEmbedded(directory.path);
    await expect(openEmbedded(directory.path)).rejects.toMatchObject({ code: 'data_dir_locked' });
    await db.close();
    await (await openEmbedded(directory.path)).close();
  });

  it('rolls back what a failing transaction wrote, joins nested ones, and refuses to change the timeline', async () => {
    const db = await openEmbedded(directory.path);
    try {
      const add = (type: string) =>
        db.q
          .insertInto('event')
          .values({ incident_id: null, type, actor: 'test', data: json({}) })
          .execute();
      await expect(
        db.transaction(async () => {
          await add('outer');
          await db.transaction(() => add('inner'));
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      expect(await db.q.selectFrom('event').selectAll().execute()).toEqual([]);
      await Promise.all([db.transaction(() => add('one')), add('two'), db.transaction(() => add('three'))]);
      expect(await db.q.selectFrom('event').selectAll().execute()).toHaveLength(3);
      await expect(db.q.updateTable('event').set({ actor: 'else' }).execute()).rejects.toThrow(/permission denied/);
      await expect(db.q.deleteFrom('event').execute()).rejects.toThrow(/permission denied/);
    } finally {
      await db.close();
    }
  });
});
