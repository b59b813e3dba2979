#!/usr/bin/env node
/**
 * Makes a fresh clone ready: installs the locked dependencies where they are missing or outdated, and checks that they
 * brought their own Node. Runs before every npm script, so it is plain JavaScript for the system's Node (20 or later)
 * and costs next to nothing when there is nothing to do. It never changes package-lock.json.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.nightshift-set-up');
const NODE = join(MODULES, '.bin', 'node');
const NODE_FLOOR = [24, 12];
const LOCK_DIR = join(ROOT, '.nightshift');
const LOCK = join(LOCK_DIR, 'set-up.lock');

const lockFile = readOr(join(ROOT, 'package-lock.json'), null);
if (lockFile === null) fail(`package-lock.json is missing in ${ROOT}. Fix: git checkout package-lock.json`);
const digest = createHash('sha256').update(lockFile).digest('hex');

if (!isStamped()) {
  const release = await takeLock();
  try {
    if (!isStamped()) await setUp();
  } finally {
    release();
  }
}

/** Tells whether an earlier run has finished for exactly this lock file; the whole cost of a run with nothing to do. */
function isStamped() {
  return readOr(STAMP, '') === digest && fs.existsSync(NODE);
}

async function setUp() {
  // Somebody who ran `npm ci` by hand should not wait for it twice.
  if (!isInstalled()) await install();
  checkNode();
  fs.writeFileSync(STAMP, digest);
}

/** Compares the lock file with npm's own record of what it installed, which npm writes last of all. */
function isInstalled() {
  const record = readOr(join(MODULES, '.package-lock.json'), null);
  if (record === null) return false;
  try {
    const installed = JSON.parse(record).packages;
    return Object.entries(JSON.parse(lockFile).packages).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    );
  } catch {
    return false;
  }
}

async function install() {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(1);
  const stopProgress = showProgress(started);
  const { status, output } = await runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  stopProgress();
  if (status !== 0) {
    const tail = output.trimEnd().split('\n').slice(-20).join('\n');
    fail(
      `${tail}\nThe dependencies could not be installed: npm ci ended with ${status} after ${seconds()} s, see above.` +
        '\nFix: mend the cause (network, proxy and registry settings, free disk space), then run the same command again.',
    );
  }
  say(`Installed the dependencies in ${seconds()} s.`);
}

/** Runs npm, gathering its output; the npm that runs this script where there is one, under the Node it runs on itself. */
function runNpm(args) {
  const { npm_execpath: script = '', npm_node_execpath: node = '' } = process.env;
  // `npm ci` removes node_modules, so it must not run on the Node inside it.
  const known = /npm-cli\.c?js$/.test(script) && node !== '' && !node.startsWith(MODULES);
  const [command, ...rest] = known ? [node, script, ...args] : ['npm', ...args];
  const npm = spawn(command, rest, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  // The lock names npm too: it goes on installing if this process alone is killed.
  if (npm.pid !== undefined) fs.writeFileSync(LOCK, `${process.pid} ${npm.pid}`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      npm.kill('SIGTERM');
      // npm puts off a polite request until it has finished; half an installation does no harm, the next run starts afresh.
      setTimeout(() => npm.kill('SIGKILL'), 2000);
      npm.once('close', () => fail(`\nStopped by ${signal}; the next run installs the dependencies afresh.`));
    });
  }
  let output = '';
  const gather = (chunk) => {
    output = (output + chunk).slice(-20_000);
  };
  npm.stdout.on('data', gather);
  npm.stderr.on('data', gather);
  return new Promise((resolve) => {
    npm.once('error', (error) => resolve({ status: error.message, output }));
    npm.once('close', (code, signal) => resolve({ status: code ?? signal, output }));
  });
}

/** Shows the elapsed seconds, on one line of a terminal or as a line every 10 s; returns the function that ends it. */
function showProgress(started) {
  const terminal = process.stderr.isTTY;
  const label = 'Installing the dependencies (once; usually under a minute)';
  const show = () => {
    const elapsed = Math.round((Date.now() - started) / 1000);
    process.stderr.write(terminal ? `\r${label} … ${elapsed} s` : `${label} … ${elapsed} s\n`);
  };
  const first = setTimeout(show, 1000);
  const timer = setInterval(show, terminal ? 1000 : 10_000);
  return () => {
    clearTimeout(first);
    clearInterval(timer);
    if (terminal) process.stderr.write('\r\x1b[K');
  };
}

/** The package `node` brings the Node that runs everything else; without its install script the system's would run. */
function checkNode() {
  const { stdout, error } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  const [major = 0, minor = 0] = (stdout ?? '').replace('v', '').split('.').map(Number);
  if (!error && (major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]))) return;
  fail(
    `Nightshift needs Node ${NODE_FLOOR.join('.')} or later and brings its own as the package "node", but ` +
      `${relative(ROOT, NODE)} ${error ? 'is missing' : `is ${stdout.trim()}`}: install scripts are switched off (ignore-scripts).` +
      '\nFix: npm rebuild node --ignore-scripts=false',
  );
}

/** Takes the lock that keeps two installations apart and returns its release; waits for a living owner, replaces a dead one. */
async function takeLock() {
  for (let announced = false; ; ) {
    const made = fs.mkdirSync(LOCK_DIR, { recursive: true, mode: 0o700 });
    try {
      fs.writeFileSync(LOCK, `${process.pid}`, { flag: 'wx' });
      return () => {
        fs.rmSync(LOCK, { force: true });
        if (made) removeIfEmpty(LOCK_DIR);
      };
    } catch (error) {
      if (error.code !== 'EEXIST')
        fail(`${LOCK} cannot be written (${error.code}). Fix: run this as the owner of the clone.`);
    }
    const owner = readOr(LOCK, '');
    const living = owner.split(' ').find((pid) => isAlive(Number(pid)));
    if (living === undefined && isOld(LOCK)) {
      replaceStale(owner);
      continue;
    }
    if (living !== undefined && !announced) {
      say(`Waiting for process ${living}, which is installing the dependencies (if it is not, delete ${LOCK}).`);
      announced = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Moves a dead owner's lock out of the way; whoever finds that it moved a living one's instead puts that back. */
function replaceStale(owner) {
  const aside = `${LOCK}.${process.pid}`;
  try {
    fs.renameSync(LOCK, aside);
    if (readOr(aside, '') !== owner) fs.copyFileSync(aside, LOCK, fs.constants.COPYFILE_EXCL);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    fs.rmSync(aside, { force: true });
  }
}

/** A lock is empty for an instant while its owner writes it, so one without a living owner is believed after a second. */
function isOld(path) {
  try {
    return Date.now() - fs.statSync(path).mtimeMs > 1000;
  } catch {
    return false;
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  // In a container whose first process reaps nobody, a dead process stays in the table as a zombie.
  if (/\) Z /.test(readOr(`/proc/${pid}/stat`, ''))) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function removeIfEmpty(directory) {
  try {
    fs.rmdirSync(directory);
  } catch {
    // Somebody else uses it by now.
  }
}

function readOr(path, otherwise) {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exitCode = 1;
  // Exits at once, so the lock has to go here: `finally` does not run any more.
  if (readOr(LOCK, '').split(' ')[0] === `${process.pid}`) fs.rmSync(LOCK, { force: true });
  process.exit(1);
}
