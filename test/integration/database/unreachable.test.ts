import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openPostgres } from '../../../src/database/index.ts';
import { NightshiftError } from '../../../src/errors.ts';

const failure = (url: string): Promise<unknown> =>
  openPostgres(url).then(
    () => null,
    (error: unknown) => error,
  );

describe('a database that cannot be used', () => {
  it('is named with its host, the cause and the fix, and without the password', async () => {
    const error = await failure('postgres://ada:hunter2@127.0.0.1:9/shop');
    expect(error).toBeInstanceOf(NightshiftError);
    expect(error).toMatchObject({
      code: 'database_unavailable',
      status: 503,
      problems: [
        { field: 'DATABASE_URL', value: '127.0.0.1:9', fix: expect.stringContaining('host, port, user and password') },
      ],
    });
    expect(`${error}${JSON.stringify((error as NightshiftError).problems)}`).not.toContain('hunter2');
  });

  it('does not keep the start waiting when it accepts and says nothing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    expect(await failure(`postgres://ada:hunter2@127.0.0.1:${port}/shop`)).toMatchObject({
      code: 'database_unavailable',
    });
    silent.close();
  }, 20_000);
});
