import { type PersonConfig, ROLES, type Role } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { isWithin, type Scope } from './scopes.ts';
import {
  endSession,
  listSessions,
  type NewSession,
  openSession,
  type StoredSession,
  standingSession,
} from './sessions.ts';
import {
  addToken,
  holdersOf,
  type ListedToken,
  listTokens,
  type NewToken,
  type RecordEvent,
  revokeToken,
  setToken,
  standingToken,
  type TokenDependencies,
} from './tokens.ts';

/** A person at a door, and what they may do there. */
export interface Principal {
  /** The person's name, by which votes and events count. */
  readonly name: string;
  readonly role: Role;
  /** Name of the token that they came with, where they came with one. */
  readonly token?: string;
  /** What that token is restricted to; left out where it may all that the role may. */
  readonly scopes?: readonly Scope[];
  /** When that token expires; left out where it does not. */
  readonly expiresAt?: Date;
}

/** A session of the console as it can be shown; `role` is the one in effect. */
export type Session = Omit<StoredSession, 'token' | 'scopes' | 'tokenExpiresAt'>;

/** Somebody who is signed in to the console. */
export interface SignedIn {
  readonly principal: Principal;
  readonly session: Session;
}

export interface IdentityDependencies {
  readonly db: Database;
  readonly people: readonly PersonConfig[];
  /** Appends to the audit, in the current transaction. */
  readonly record: RecordEvent;
}

/** Everything about who is who. */
export interface Identity {
  /** Whose token a secret is, or null. Notes at most once a minute that it was used. */
  ofToken(secret: string): Promise<Principal | null>;
  /**
   * Whose session of the console a secret is of, or null where it is over, the token that it was opened with is, or its person may not come in
   * any more. Worth the lesser of what it was at its opening and what the person is now. Notes at most once a minute that it was used.
   */
  ofSession(secret: string): Promise<SignedIn | null>;
  /** Opens a session of the console under a secret that nobody had before. */
  openSession(session: NewSession): Promise<SignedIn & { readonly secret: string }>;
  /** The sessions that stand, the newest first: all of them, or those of one person. */
  listSessions(of: string | null): Promise<readonly Session[]>;
  /** Ends a session for good, whoever uses it. @throws NightshiftError `not_found` where there is none that stands, among those of `of`. */
  endSession(ending: { readonly id: string; readonly by: string; readonly of: string | null }): Promise<void>;
  /** Which person of `people:` has this Slack id, or null; where nobody is listed, nobody has. */
  ofSlack(team: string, user: string): Principal | null;
  /**
   * Which person of `people:` a token of the configured issuer stands for, or null: by its `sub`, or else by an address that the issuer
   * has verified, unless that person is known by a `sub`.
   */
  ofIssuer(claims: { readonly subject: string; readonly verifiedEmail: string | null }): Principal | null;
  /** The name of the person of `people:` who commits under this address, or null. */
  personByEmail(email: string): string | null;
  /** The people of `people:` who may decide. */
  approvers(): readonly string[];
  /** Whether a yes of this person counts: everybody's where nobody is listed, and only that of listed deciders otherwise. */
  mayDecide(name: string): boolean;
  /** Everybody who may decide: `approvers()` where anybody is listed, or else whoever holds a token that may approve. */
  deciders(): Promise<readonly string[]>;
  /**
   * Adds a personal token and gives the role that it has in effect.
   * @throws NightshiftError `conflict` when the name was ever taken, or the person is known in another spelling.
   */
  addToken(token: NewToken, by: string): Promise<Role>;
  /** Makes a token file's secret good, see `setToken` of tokens.ts; false when that very secret was revoked. */
  setToken(token: NewToken): Promise<boolean>;
  listTokens(): Promise<(ListedToken & { readonly effectiveRole: Role })[]>;
  /** @throws NightshiftError `not_found`, or `conflict` when it is revoked already or the last usable one of an administrator. */
  revokeToken(name: string, by: string): Promise<void>;
}

/** Tells whether a role is at least another one. */
export function reaches(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Makes the directory of people: those whom the configuration names, and whoever else holds a token. */
export function createIdentity({ db, people, record }: IdentityDependencies): Identity {
  const find = (same: (person: PersonConfig) => boolean) => people.find(same) ?? null;
  const named = (name: string) => find((person) => person.name.toLowerCase() === name.toLowerCase());
  const approvers = people.filter(({ role }) => reaches(role, 'approver')).map(({ name }) => name);

  /** A token is worth no more than the person who holds it. */
  const principalOf = (row: { readonly person: string; readonly role: Role }) => {
    const person = named(row.person);
    if (!person) return { name: row.person, role: row.role };
    return { name: person.name, role: reaches(row.role, person.role) ? person.role : row.role };
  };
  /** Whom an issuer vouched for comes in for as long as they are in `people:`. */
  const signedIn = (stored: StoredSession): SignedIn | null => {
    if (stored.via === 'oidc' && !named(stored.person)) return null;
    const { name, role } = principalOf(stored);
    const { token, scopes, tokenExpiresAt: expiresAt, ...session } = stored;
    const restricted = { ...(scopes && { scopes }), ...(expiresAt && { expiresAt }) };
    const principal = { name, role, ...(token === null ? {} : { token }), ...restricted };
    return { principal, session: { ...session, person: name, role } };
  };
  const tokens: TokenDependencies = {
    db,
    record,
    spelled: (person) => named(person)?.name ?? null,
    isAdmin: (row) => principalOf(row).role === 'admin' && row.scopes === null && row.expiresAt === null,
  };

  return {
    async ofToken(secret) {
      const row = await standingToken(db, secret);
      if (!row) return null;
      const { name, scopes, expiresAt } = row;
      return { ...principalOf(row), token: name, ...(scopes && { scopes }), ...(expiresAt && { expiresAt }) };
    },
    async ofSession(secret) {
      const session = await standingSession(db, secret);
      return session && signedIn(session);
    },
    async openSession(opened) {
      const { secret, session } = await openSession({ db, record }, opened);
      const now = signedIn(session);
      if (!now) throw new Error(`${opened.person} is not in people:`);
      return { ...now, secret };
    },
    async listSessions(of) {
      const standing = (await listSessions(db)).flatMap((one) => signedIn(one)?.session ?? []);
      return of === null ? standing : standing.filter(({ person }) => person === of);
    },
    endSession: (ending) => endSession({ db, record }, ending),
    ofSlack(team, user) {
      const person = find(({ slack }) => slack === `${team}/${user}`);
      return person && { name: person.name, role: person.role };
    },
    ofIssuer({ subject, verifiedEmail }) {
      const email = verifiedEmail?.toLowerCase();
      const person =
        find((one) => one.subject === subject) ??
        find((one) => one.subject === undefined && email !== undefined && one.email?.toLowerCase() === email);
      return person && { name: person.name, role: person.role };
    },
    personByEmail: (email) => find((person) => person.email?.toLowerCase() === email.toLowerCase())?.name ?? null,
    approvers: () => approvers,
    mayDecide: (name) => people.length === 0 || approvers.includes(name),
    async deciders() {
      if (people.length > 0) return approvers;
      return holdersOf(db, ({ role, scopes }) => reaches(role, 'approver') && isWithin(scopes, 'approvals:decide'));
    },
    async addToken(token, by) {
      await addToken(tokens, token, by);
      return principalOf(token).role;
    },
    setToken: (token) => setToken(tokens, token),
    async listTokens() {
      return (await listTokens(db)).map((token) => ({ ...token, effectiveRole: principalOf(token).role }));
    },
    revokeToken: (name, by) => revokeToken(tokens, name, by),
  };
}
