#!/usr/bin/env node
/**
 * The command of the npm package: plain JavaScript for the system's Node (20 or later). It runs Nightshift in this process where this Node
 * is new enough, and otherwise under the Node that the package `node` brought.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as nodeModule from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MAIN = join(ROOT, 'dist/main.js');
const NODE_FLOOR = [24, 12];

if (process.env.npm_command === 'exec') endWithParent();
if (isEnough(process.versions.node)) await runHere();
else runUnder(findNode());

async function runHere() {
  // Beside the packages, where they are: what is in a package stays as it was installed.
  const parent = dirname(ROOT);
  if (basename(parent) === 'node_modules') nodeModule.enableCompileCache(join(parent, '.cache/nightshift'));
  await import(pathToFileURL(MAIN).href);
}

/** Ends as if it were told to when npx is gone, because npx keeps a SIGTERM to itself. */
function endWithParent() {
  const { ppid } = process;
  const timer = setInterval(() => {
    if (process.ppid === ppid) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}

/** Runs it under another Node, as if it were this process: its streams, its exit code, and the signals that are sent to this one. */
function runUnder(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal tells its whole group; said twice, it would not be waited for.
  const isTold = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on('SIGINT', () => isTold || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => fail(`${node} does not start: ${error.message}. Fix: npm rebuild node`));
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const one of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(one);
    process.kill(process.pid, signal);
  });
}

/** Finds the Node of the package `node`; without its install script there is none. */
function findNode() {
  const { resolve } = nodeModule.createRequire(import.meta.url);
  let node = null;
  try {
    node = join(dirname(resolve('node/package.json')), 'bin/node');
  } catch {
    // It is not installed at all, and said below.
  }
  const said = node && spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (said?.status === 0 && isEnough(said.stdout.trim().slice(1))) return node;
  fail(
    `Nightshift needs Node ${NODE_FLOOR.join('.')} or later, this is ${process.versions.node}. It brings one as the package "node", whose install script has not run (ignore-scripts).` +
      `\nFix: npm rebuild node --ignore-scripts=false --prefix ${dirname(dirname(ROOT))}, or install Node ${NODE_FLOOR.join('.')} or later`,
  );
}

function isEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]);
}

function fail(text) {
  process.stderr.write(`nightshift: ${text}\n`);
  process.exit(1);
}
