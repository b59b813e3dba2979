/** What was read of a body: its bytes up to the limit, whether that was all of it, and what broke the reading off. */
export interface ReadBody {
  readonly bytes: Buffer;
  readonly whole: boolean;
  readonly error?: unknown;
}

/**
 * Reads a body up to `bytesMax` bytes and lets go of the rest; a broken stream is told in `error`, with what came before it.
 * Works on the bodies of both `fetch` and undici.
 */
export async function readBody(body: AsyncIterable<Uint8Array> | null, bytesMax: number): Promise<ReadBody> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) return { bytes: Buffer.concat(chunks).subarray(0, bytesMax), whole: false };
    }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), whole: false, error };
  }
  return { bytes: Buffer.concat(chunks), whole: true };
}
