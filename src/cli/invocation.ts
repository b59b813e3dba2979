type Env = Readonly<Record<string, string | undefined>>;

/** Gives what stands before a command's words for whoever calls it as now: by the scripts of a clone, by npx, or as a program. */
export function invocation(env: Env): string {
  if (isOfClone(env)) return 'npm run nightshift --';
  return env.npm_command === 'exec' ? 'npx nightshift' : 'nightshift';
}

/** Gives the command that starts the server, called as now. */
export function startCommand(env: Env): string {
  return isOfClone(env) ? 'npm start' : `${invocation(env)} start`;
}

function isOfClone(env: Env): boolean {
  return env.npm_package_name === 'nightshift' && env.npm_command !== 'exec';
}
