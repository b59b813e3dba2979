import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { messageOf, NightshiftError } from '../../../src/errors.ts';
import { createRoom, type HeldBody, readBody } from '../../../src/ingest/read-body.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Serves answers that say how many bytes came, or why not; bodies stay held until `letGo` is called. */
async function serve(bytesMax: number, roomMax: number) {
  const room = createRoom(roomMax);
  const held: HeldBody[] = [];
  const failures: string[] = [];
  const server = createServer(async (request, response) => {
    try {
      const body = await readBody(request, { bytesMax, room, withinMs: 10_000 });
      held.push(body);
      response.end(String(body.bytes.length));
    } catch (error) {
      failures.push(error instanceof NightshiftError ? error.code : messageOf(error));
      response.end(failures.at(-1));
      request.resume();
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    failures,
    letGo: () => held.splice(0).forEach((body) => void body.done()),
    isEmpty: () => {
      const empty = room.take(roomMax);
      if (empty) room.giveBack(roomMax);
      return empty;
    },
    send: async (bytes: number, chunked = false) => {
      const body = 'x'.repeat(bytes);
      const init = chunked ? { body: new Blob([body]).stream(), duplex: 'half' } : { body };
      return (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', ...init } as RequestInit)).text();
    },
  };
}

describe('readBody', () => {
  it('takes what is not too large, whether its length is told or not', async () => {
    const { send } = await serve(1000, 1e6);
    for (const chunked of [false, true]) {
      expect(await send(0, chunked)).toBe('0');
      expect(await send(1000, chunked)).toBe('1000');
      expect(await send(1001, chunked)).toBe('payload_too_large');
      expect(await send(500_000, chunked)).toBe('payload_too_large');
    }
  });

  it('holds no more than there is room for, and gives back what was answered, refused or broken off', async () => {
    const { send, letGo, isEmpty, failures, port } = await serve(1000, 2500);
    expect(await Promise.all([send(1000), send(1000)])).toEqual(['1000', '1000']);
    expect(await send(1000)).toBe('busy');
    expect(await send(1000, true)).toBe('busy');
    expect(await send(400)).toBe('400');
    letGo();
    expect(isEmpty()).toBe(true);
    expect(await send(1001, true)).toBe('payload_too_large');
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 1000\r\n\r\nonly a part of it');
    await expect.poll(isEmpty).toBe(false);
    socket.destroy();
    await expect.poll(isEmpty).toBe(true);
    await sleep(50);
    expect(failures.at(-1)).toBe('invalid_payload');
  });
});
