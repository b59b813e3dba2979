import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Tells whether a program of this name can be run from the search path. */
export function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
