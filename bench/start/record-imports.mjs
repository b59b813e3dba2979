/** Loaded before Nightshift: writes down which packages its sources have imported by the time that it listens, as START_IMPORTS asks. */
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { sep } from 'node:path';

const specifiers = new Set();
registerHooks({
  resolve(specifier, context, next) {
    const own = context.parentURL?.startsWith('file:') && !context.parentURL.includes(`${sep}node_modules${sep}`);
    if (own && !/^[./]|^node:|^file:/.test(specifier)) specifiers.add(specifier);
    return next(specifier, context);
  },
});
process.on('SIGTERM', () => {
  writeFileSync(process.env.START_IMPORTS, JSON.stringify([...specifiers].sort()));
});
