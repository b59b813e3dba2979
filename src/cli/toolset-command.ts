import { createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { messageOf, NightshiftError } from '../errors.ts';
import {
  CLOCK_SKEW_SECONDS,
  createCatalogue,
  createToolsetServer,
  listenRemotely,
  TOOLSETS,
} from '../mcp-tools/index.ts';
import { publicKeyOf, readSigningKey } from '../policy/index.ts';
import { loadConfig } from './load-config.ts';
import { addPrivilegesCommand } from './privileges-command.ts';
import type { Terminal } from './terminal.ts';

interface ServeOptions {
  readonly listen: string;
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
  readonly clearanceKey: string;
}

/** Adds the commands about toolsets: one that serves an instance on this host for a Nightshift elsewhere, and the key it trusts. */
export function addToolsetCommand(program: Command, terminal: Terminal): void {
  const toolset = program.command('toolset').description('what an instance needs, and instances on other hosts');
  toolset
    // The one that is meant where none is named; as a command of its own, since what it requires would bind those beside it.
    .command('serve', { isDefault: true })
    .description('serve one instance of nightshift.yaml on this host, for a Nightshift on another')
    .argument('<name>', 'the instance, as under toolsets:')
    .requiredOption('--listen <host:port>', 'where Nightshift connects to, for example 0.0.0.0:8643')
    .requiredOption('--certificate <file>', 'PEM file that proves this host')
    .requiredOption('--key <file>', 'PEM file of the key of that certificate')
    .requiredOption('--ca <file>', "PEM file of the authority that signed Nightshift's certificate")
    .requiredOption(
      '--clearance-key <file>',
      'what `nightshift toolset key` printed there, on which changes are trusted',
    )
    .action((name: string, options: ServeOptions) => serve(terminal, name, options));
  addPrivilegesCommand(toolset, terminal);
  toolset
    .command('key')
    .description('print the public key that toolsets on other hosts trust this Nightshift by')
    .action(() => {
      const { keyFile } = loadConfig(terminal).clearances;
      mkdirSync(dirname(keyFile), { recursive: true, mode: 0o700 });
      terminal.out(publicKeyOf(readSigningKey(keyFile)).trimEnd());
    });
}

async function serve(terminal: Terminal, name: string, options: ServeOptions): Promise<void> {
  const { instances } = createCatalogue(TOOLSETS, loadConfig(terminal).toolsets);
  const instance = instances.find((one) => one.name === name);
  if (!instance) {
    const names = instances.map((one) => one.name).join(', ');
    throw wrong('NAME', name, 'is no toolset instance', names ? `use one of ${names}` : 'add it under toolsets:');
  }
  if (instance.remote)
    throw wrong('NAME', name, 'runs on another host, as its remote: says', 'take remote: out of the file on this host');
  const listen = /^(?<host>\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):(?<port>\d{1,5})$/.exec(options.listen)?.groups;
  if (!listen?.host || Number(listen.port) > 65_535)
    throw wrong('--listen', options.listen, 'is not HOST:PORT', 'write 0.0.0.0:8643, say');
  const server = createToolsetServer({
    ...instance,
    publicKey: readPublicKey(options.clearanceKey),
    clockSkewSeconds: CLOCK_SKEW_SECONDS,
  });
  // A clearance that seems younger than this process may have been used before it, by a clock that is ahead; so it is older first.
  await sleep(Math.max(0, CLOCK_SKEW_SECONDS * 1000 - performance.now()));
  const listener = await listenRemotely(server, {
    host: listen.host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(listen.port),
    certificates: options,
  });
  terminal.err(`nightshift: ${name} (${instance.toolset.name}) listens on ${listen.host}:${listener.port}`);
  await terminal.untilStopped();
  await listener.close();
}

function readPublicKey(path: string): string {
  try {
    const key = createPublicKey(readFileSync(path));
    if (key.asymmetricKeyType === 'ed25519') return key.export({ type: 'spki', format: 'pem' }).toString();
  } catch (error) {
    throw wrong('--clearance-key', resolve(path), `cannot be read: ${messageOf(error)}`, CLEARANCE_KEY_FIX);
  }
  throw wrong('--clearance-key', path, 'holds no Ed25519 key', CLEARANCE_KEY_FIX);
}

const CLEARANCE_KEY_FIX = 'store what `nightshift toolset key` prints where Nightshift runs';

function wrong(field: string, value: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('invalid_config', `${field}: ${JSON.stringify(value)} ${message}. Fix: ${fix}`);
}
