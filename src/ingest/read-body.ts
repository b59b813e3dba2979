import type { IncomingMessage } from 'node:http';
import { NightshiftError } from '../errors.ts';

/** Counts the bytes of the bodies that are in memory, up to a most; a body gives its share back when its request is answered. */
export interface Room {
  /** Takes so many bytes more, or says that there is no room for them. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

/** Makes room for `max` bytes of bodies. */
export function createRoom(max: number): Room {
  let taken = 0;
  return {
    take(bytes) {
      if (taken + bytes > max) return false;
      taken += bytes;
      return true;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
  };
}

export interface BodyLimits {
  readonly bytesMax: number;
  readonly room: Room;
  /** How long its sender may take to send it, in milliseconds. */
  readonly withinMs: number;
}

/** A body in memory; `done` must be called once it is not needed any more. */
export interface HeldBody {
  readonly bytes: Buffer;
  done(): void;
}

/**
 * Reads the body of a request into memory.
 * @throws NightshiftError `payload_too_large` as soon as it is known to be, `busy` when the bodies under way leave no room for it, and
 * `invalid_payload` when the connection ends before the body does.
 */
export function readBody(request: IncomingMessage, { bytesMax, room, withinMs }: BodyLimits): Promise<HeldBody> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > bytesMax) return Promise.reject(tooLarge(bytesMax));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let held = 0;
    const timer = setTimeout(() => giveUp(tooSlow(withinMs)), withinMs);
    const giveUp = (error: NightshiftError) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      room.giveBack(held);
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > bytesMax) return giveUp(tooLarge(bytesMax));
      if (!room.take(chunk.length)) return giveUp(noRoom());
      held += chunk.length;
      chunks.push(chunk);
    };
    const onEnd = () => {
      clearTimeout(timer);
      request.off('close', onClose);
      const [only] = chunks;
      const bytes = chunks.length === 1 && only ? only : Buffer.concat(chunks, length);
      resolve({ bytes, done: () => room.giveBack(held) });
    };
    const onClose = () => giveUp(new NightshiftError('invalid_payload', 'the connection ended before the body did'));
    request
      .on('data', onData)
      .once('end', onEnd)
      .once('close', onClose)
      .once('error', () => {});
  });
}

function tooLarge(bytesMax: number): NightshiftError {
  const limit = bytesMax >= 1024 * 1024 ? `${bytesMax / 1024 / 1024} MiB` : `${bytesMax / 1024} KiB`;
  const message = `is larger than the ${limit} that this door takes`;
  const fix = 'send fewer alerts at once: lower max_alerts in webhook_config, or group them more finely';
  return new NightshiftError('payload_too_large', `body: ${message}. Fix: ${fix}`, {
    problems: [{ field: 'body', message, fix }],
  });
}

function tooSlow(withinMs: number): NightshiftError {
  return new NightshiftError('busy', `the body did not arrive within ${withinMs / 1000} s; send it again`);
}

function noRoom(): NightshiftError {
  return new NightshiftError('busy', 'too many deliveries are under way, so this one was not accepted; send it again');
}
