import pg from 'pg';

/** Past it nothing more is prepared, so that a statement that is never the same twice cannot fill every session. */
const STATEMENTS_MAX = 100;

/** The names under which statements that come again and again are known in every session of this process. */
const names = new Map<string, string>();

/** Has every session parse and plan this statement once, and not each time. Its columns must be named: a table may get more of them. */
export function prepare(text: string): void {
  if (names.size < STATEMENTS_MAX && !names.has(text)) names.set(text, `nightshift_${names.size}`);
}

/** A client that knows which statements are prepared. */
export class PreparingClient extends pg.Client {
  // Its overloads are many, and all that changes is a text with values.
  override query = ((...args: unknown[]) => {
    const [text, values, ...rest] = args;
    const name = typeof text === 'string' && Array.isArray(values) ? names.get(text) : undefined;
    const send = super.query as (...args: unknown[]) => unknown;
    return name === undefined ? send.apply(this, args) : send.call(this, { name, text, values }, ...rest);
  }) as pg.Client['query'];
}
