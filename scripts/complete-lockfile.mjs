/**
 * Completes package-lock.json after a change of the dependencies. A registry mirror that serves only some platforms
 * leaves the optional packages of the others out of it, and from then on `npm ci` of npm 11 refuses it everywhere.
 * Their versions are exact in what depends on them and their platforms are in their names; the lock file gets no
 * checksums for them. With --check it writes nothing and fails where something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const PATH = new URL('../package-lock.json', import.meta.url);
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

const lock = JSON.parse(readFileSync(PATH, 'utf8'));
const missing = Object.entries(lock.packages).flatMap(([path, parent]) =>
  Object.entries(parent.optionalDependencies ?? {})
    .filter(([name]) => !resolves(path, name))
    .map(([name, version]) => entryOf(name, version, parent)),
);
if (missing.length > 0 && process.argv.includes('--check')) {
  const names = missing.map(([path]) => path.replace('node_modules/', '')).join(', ');
  console.error(`package-lock.json lacks ${names}. Fix: node scripts/complete-lockfile.mjs`);
  process.exit(1);
}
if (missing.length > 0) {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  packages.sort(([a], [b]) => a.localeCompare(b, 'en'));
  writeFileSync(PATH, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
}
console.log(`package-lock.json is complete; ${missing.length} package(s) were added`);

/** Tells whether a dependency of the package at `path` is locked, in its own node_modules or in one further up. */
function resolves(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

function entryOf(name, version, { dev, license, engines }) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = PROCESSORS.find((processor) => words.includes(processor));
  if (!os || !cpu || !/^\d+\.\d+\.\d+[^ ]*$/.test(version)) {
    console.error(
      `${name}@${version}: no exact version, or no platform in its name. Fix: run npm install with the full registry`,
    );
    process.exit(1);
  }
  const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : 'glibc';
  const entry = {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(os === 'linux' ? { libc: [libc] } : {}),
    license,
    optional: true,
    os: [os],
    ...(engines ? { engines } : {}),
  };
  return [`node_modules/${name}`, entry];
}
