import { type Command, InvalidArgumentError } from 'commander';
import { SCOPE_NAMES } from '../identity/scopes.ts';
import { plain } from '../incident/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The kill switch as the API shows it. */
export interface ShownKillSwitch {
  readonly engaged: boolean;
  readonly why: string;
  readonly releaseVotes: readonly string[];
}

interface ShownToken {
  readonly name: string;
  readonly person: string;
  readonly role: string;
  readonly effectiveRole: string;
  readonly scopes: readonly string[] | null;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

interface NewTokenOptions {
  readonly person?: string;
  readonly role: string;
  readonly scope?: readonly string[];
  readonly expires?: string;
}

/** Adds the commands for whoever runs Nightshift: stop everything and let it go on, and personal tokens. */
export function addOperatorCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const server = () => findServer(terminal);

  program
    .command('pause [reason]')
    .description('stop everything: from now on no change is sent, whoever allowed it')
    .action(async (reason = '') => {
      await server().request('POST', '/kill-switch', { engaged: true, reason });
      out('everything is stopped; let it go on with: nightshift resume');
    });
  program
    .command('resume')
    .description('ask for the end of a pause; where two people may decide, it takes two of them')
    .action(async () => {
      const answer = await server().request<ShownKillSwitch & { released: boolean; needs: string }>(
        'POST',
        '/kill-switch',
        { engaged: false },
      );
      if (answer.engaged)
        out(answer.released ? `still stopped: ${plain(answer.why)}` : `noted; it needs ${answer.needs}`);
      else out('nothing is stopped any more');
    });

  const tokens = program.command('tokens').description('personal tokens');
  tokens
    .command('create <name>')
    .description('make a personal token; it is shown once')
    .option('--person <person>', 'whose it is, by whose name their decisions count (default: the name of the token)')
    .option('--role <role>', 'viewer, approver or admin', 'approver')
    .option(
      '--scope <scope...>',
      `what it may of all that its role may (default: everything); ${SCOPE_NAMES.join(', ')}`,
    )
    .option(
      '--expires <when>',
      'when it ends: in so many days or hours (90d, 12h), or at a time (2027-01-31)',
      readExpiry,
    )
    .action(async (name: string, { person, role, scope, expires }: NewTokenOptions) => {
      const asked = { name, person, role, scopes: scope, expiresAt: expires };
      const made = await server().request<ShownToken & { secret: string }>('POST', '/tokens', asked);
      if (made.effectiveRole !== role)
        terminal.err(`${made.person} is ${made.effectiveRole} in people:, so this token is worth no more`);
      out(made.secret);
    });
  tokens
    .command('list')
    .description('show every token that there ever was; times are UTC')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const all = await server().all<ShownToken>('/tokens', 'tokens');
      if (json) return out(JSON.stringify(all, null, 2));
      for (const token of all) {
        const role = token.effectiveRole === token.role ? token.role : `${token.effectiveRole} (token: ${token.role})`;
        const used = token.lastUsedAt ? `used ${minute(token.lastUsedAt)}` : 'never used';
        const ended = token.revokedAt ? `  REVOKED ${minute(token.revokedAt)}` : '';
        const limits = limitsOf(token);
        out(
          `${token.name.padEnd(20)} ${token.person.padEnd(16)} ${role.padEnd(9)} created ${minute(token.createdAt)}  ${used}${limits}${ended}`,
        );
      }
    });
  tokens
    .command('revoke <name>')
    .description('end a token for good; its name stays taken')
    .action(async (name: string) => {
      await server().request('POST', `/tokens/${encodeURIComponent(name)}/revoke`);
      out(`${name} is revoked`);
    });
}

/** What a token is restricted to, for its line in the list. */
function limitsOf({ scopes, expiresAt }: ShownToken): string {
  const until =
    expiresAt === null ? '' : `  ${new Date(expiresAt) > new Date() ? 'until' : 'EXPIRED'} ${minute(expiresAt)}`;
  return `${scopes === null ? '' : `  only ${scopes.join(', ')}`}${until}`;
}

/** Reads when something ends, as the ISO time of it. @throws InvalidArgumentError saying how to write it. */
export function readExpiry(text: string): string {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : Date.now() + Number(count) * (unit === 'd' ? DAY_MS : HOUR_MS);
  if (time > Date.now()) return new Date(time).toISOString();
  throw new InvalidArgumentError('Write a time to come as 90d, 12h, or 2027-01-31.');
}

/** How much waits, as the API shows it. */
export interface ShownQueue {
  readonly waiting: readonly { kind: string; waiting: number; oldestSeconds: number }[];
  readonly limit: number;
  readonly shedLastHour: number;
}

/** Says in the status how many incidents wait to be begun, and whether they are too many. */
export function renderQueue({ waiting, limit, shedLastHour }: ShownQueue): string {
  const toBegin = waiting.filter(({ kind }) => kind !== 'begun');
  const count = toBegin.reduce((sum, one) => sum + one.waiting, 0);
  const oldest = Math.max(0, ...toBegin.map(({ oldestSeconds }) => oldestSeconds));
  const line = `queue: ${count} of ${limit} wait to be begun${count > 0 ? `, the oldest for ${oldest} s` : ''}`;
  return shedLastHour > 0
    ? `${line}; in the last hour it was OVERLOADED, and ${shedLastHour} went to people undiagnosed`
    : line;
}

/** Says in the status whether everything is stopped. */
export function renderKillSwitch({ engaged, why, releaseVotes }: ShownKillSwitch): string {
  if (!engaged) return 'kill switch: off';
  const asked = releaseVotes.length > 0 ? `; asked for its release: ${releaseVotes.join(', ')}` : '';
  return `kill switch: EVERYTHING IS STOPPED (${plain(why)})${asked}`;
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
