/** What answers and readings are looked at with: a whole Nightshift inside the test's process, with people, and whatever its database is told. */
import type { Browser } from 'playwright-core';
import { type Database, openPostgres } from '../../../src/database/index.ts';
import type { Setup } from '../../integration/support/nightshift.ts';
import { type Story, tellStory } from '../../integration/support/story.ts';
import { openBrowser, type Visit, visit, type Watched } from './browser.ts';

const PEOPLE = [
  { name: 'ada', role: 'approver' },
  { name: 'cleo', role: 'approver' },
  { name: 'ben', role: 'admin' },
  { name: 'vic', role: 'viewer' },
  // Who holds the first token, and has decided what is behind it all.
  { name: 'admin', role: 'admin' },
] as const;
export type Person = (typeof PEOPLE)[number]['name'];

const POLICY = `rules:
  - {name: safe-remedies, match: ['env!="nobody-says"'], risks: [safe], decision: allow, reason: It can be taken back.}
  - {name: careful, match: ['env="careful"'], tools: [supervisor.*], decision: ask, quorum: 1, reason: Here people decide.}
  - {name: twice, match: ['env="twice"'], tools: [supervisor.*], decision: ask, quorum: 2, reason: Here two people decide.}
  - {name: cleo-only, match: ['env="cleo"'], tools: [supervisor.*], decision: ask, approvers: [cleo], reason: It is hers.}
`;

export interface StoryScene {
  readonly story: Story;
  /** The database, past the API. */
  readonly db: Database;
  /** Opens a page of the console as one of the people. */
  enter(person: Person, path: string, options?: Omit<Visit, 'url' | 'token'>): Promise<Watched>;
  /** Says something over the API as one of the people. */
  say<T = Record<string, unknown>>(person: Person, path: string, body?: unknown): Promise<T>;
  /** Closes every page that was opened, and gives what each of them complained about or asked of others. */
  leave(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts it, with three incidents behind it; see `tellStory`. */
export async function setStoryScene(setup: Partial<Setup> = {}): Promise<StoryScene> {
  const { config, ...more } = setup;
  const [story, browser]: [Story, Browser] = await Promise.all([
    tellStory({ database: 'postgres', policy: POLICY, ...more, config: { people: PEOPLE, ...config } }),
    openBrowser(),
  ]);
  const { nightshift } = story;
  const tokens = new Map<Person, string>();
  for (const { name: person, role } of PEOPLE) {
    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: `${person}-laptop`, person, role });
    tokens.set(person, body.secret);
  }
  const db = await openPostgres(nightshift.databaseUrl ?? '');
  const open: Watched[] = [];
  return {
    story,
    db,
    async enter(person, path, options = {}) {
      const watched = await visit(browser, { ...options, url: nightshift.app.url, token: tokens.get(person) ?? '' });
      open.push(watched);
      await watched.page.goto(path);
      return watched;
    },
    async say(person, path, body) {
      const answer = await nightshift.api(path, body, tokens.get(person));
      if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
      return answer.body as never;
    },
    async leave() {
      const left = open.splice(0);
      await Promise.all(left.map(({ close }) => close()));
      return left.flatMap(({ foreign, complaints }) => [...foreign, ...complaints]);
    },
    async stop() {
      await db.close();
      await browser.close();
      await story.stop();
    },
  };
}
