import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { createDumpWriter, type Entry, readEntries } from '../../../src/backup/dump-lines.ts';

const HEADER = {
  nightshift: 'dump',
  format: 1,
  version: '0.1.0',
  migrations: ['0001_spine'],
  at: '2026-11-01T10:00:00.000Z',
  installation: '00000000-0000-4000-8000-000000000000',
  database: 'embedded',
};
const LINES = [
  JSON.stringify(HEADER),
  '{"file":"admin.token","mode":384,"base64":"YWJj"}',
  '{"table":"event","columns":["id","data"],"sequences":{"id":"7"}}',
  // A line separator that JSON leaves as it is, and a number that JavaScript would round.
  '["7","{\\"a\\": 1.0, \\"b\\": \\"\u2028\\"}"]',
  '["8",null]',
  '{"table":"seal","columns":["id"],"sequences":{}}',
];

async function written(lines: readonly string[], rows: Record<string, number>): Promise<Buffer> {
  const out = new PassThrough();
  const bytes = buffer(out);
  const writer = createDumpWriter(out);
  for (const line of lines) await writer.line(line);
  await writer.end(rows);
  return bytes;
}

async function read(bytes: Uint8Array, cut = bytes.length): Promise<Entry[]> {
  const entries: Entry[] = [];
  const parts = async function* () {
    yield bytes.subarray(0, cut);
    yield bytes.subarray(cut);
  };
  for await (const entry of readEntries(parts())) entries.push(entry);
  return entries;
}

/** The same lines with a last one that fits them. */
function resealed(text: string): Buffer {
  const lines = text.split('\n').slice(0, -2);
  const sha256 = createHash('sha256')
    .update(`${lines.join('\n')}\n`)
    .digest('hex');
  return Buffer.from(`${lines.join('\n')}\n${JSON.stringify({ rows: { event: 2, seal: 0 }, sha256 })}\n`);
}

describe('the lines of a dump', async () => {
  const whole = await written(LINES, { event: 2, seal: 0 });

  it('come back as they were, wherever they are cut', async () => {
    for (let cut = 0; cut <= whole.length; cut += 7) {
      const entries = await read(whole, cut);
      expect(entries.map(({ kind }) => kind)).toEqual(['header', 'file', 'table', 'row', 'row', 'table', 'trailer']);
      expect(entries[3]).toEqual({ kind: 'row', text: LINES[3] });
    }
  });

  it('are refused wherever the file ends too soon', async () => {
    for (let length = 0; length < whole.length; length += 1)
      await expect(read(whole.subarray(0, length)), `${length}`).rejects.toMatchObject({ code: 'invalid_backup' });
  });

  it('are refused when one byte is another', async () => {
    for (let index = 0; index < whole.length - 1; index += 1) {
      const altered = Buffer.from(whole);
      altered[index] = (altered[index] ?? 0) ^ 1;
      await expect(read(altered), `${index}`).rejects.toMatchObject({ code: 'invalid_backup' });
    }
  });

  it.each([
    ['something after the last line', `${whole}{}\n`, /something follows/],
    ['fewer rows than were counted', resealed(`${whole}`.replace('["8",null]\n', '')), /as many rows/],
    ['a table twice', resealed(`${whole}`.replace('"seal"', '"event"')), /twice/],
    ['a row before any table', resealed(`${whole}`.replace(LINES[1] ?? '', '["1"]')), /no table/],
    ['a line that no dump has', resealed(`${whole}`.replace(LINES[1] ?? '', '{"else":1}')), /no dump has/],
    ['another file', '{"hello":1}\n', /no backup of Nightshift/],
    ['a later form', `${JSON.stringify({ ...HEADER, format: 2, version: '9.0.0' })}\n`, /made by Nightshift 9\.0\.0/],
  ])('are refused with %s', async (_what, bytes, message) => {
    await expect(read(Buffer.from(bytes))).rejects.toMatchObject({
      code: 'invalid_backup',
      message: expect.stringMatching(message),
    });
  });
});
