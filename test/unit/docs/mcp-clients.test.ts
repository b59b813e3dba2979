/** What docs/mcp-clients.md has people paste leads to Nightshift, by a proof, and holds no token. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SCOPE_NAMES } from '../../../src/identity/index.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/mcp-clients.md'), 'utf8');
const blocks = page
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const [, language = '', text = ''] = /^```(json|toml)\n([\s\S]*?)^```$/m.exec(section) ?? [];
    return language === '' ? [] : [{ client: section.slice(0, section.indexOf('\n')), language, text }];
  });
const ADDRESS = 'http://127.0.0.1:8642/mcp';
const headers = z.strictObject({ Authorization: z.string().regex(/^Bearer \$\{(env:|input:)?[A-Za-z_-]+\}$/) });
/** What each client knows, by its own documentation; it passes over names that it does not know, so a wrong one would just not work. */
const FORMS: Readonly<Record<string, z.ZodType>> = {
  'Claude Code': z.strictObject({ type: z.literal('http'), url: z.literal(ADDRESS), headers }),
  'Claude Desktop': z.strictObject({
    command: z.literal('npm'),
    args: z
      .array(z.string())
      .refine((args) => args.join(' ') === '--prefix /srv/nightshift run --silent nightshift -- mcp'),
    env: z.strictObject({ NIGHTSHIFT_URL: z.url(), NIGHTSHIFT_TOKEN: z.literal('a token of its own') }),
  }),
  Cursor: z.strictObject({ url: z.literal(ADDRESS), headers }),
  'VS Code': z.strictObject({ type: z.literal('http'), url: z.literal(ADDRESS), headers }),
  'Gemini CLI': z.strictObject({ httpUrl: z.literal(ADDRESS), headers }),
};

describe('the configurations of assistants', () => {
  it('are those of all that the page names', () => {
    expect(blocks.map(({ client }) => client).sort()).toEqual([...Object.keys(FORMS), 'Codex CLI'].sort());
  });

  it.each(blocks.filter(({ language }) => language === 'json'))('$client: leads to Nightshift', ({ client, text }) => {
    const { mcpServers, servers = mcpServers, inputs = [] } = JSON.parse(text);
    expect(Object.keys(servers)).toEqual(['nightshift']);
    FORMS[client]?.parse(servers.nightshift);
    for (const [, id] of text.matchAll(/\$\{input:([^}]+)\}/g))
      expect(inputs).toEqual([expect.objectContaining({ type: 'promptString', id, password: true })]);
  });

  it('Codex CLI: leads to Nightshift', () => {
    const [toml = ''] = blocks.filter(({ language }) => language === 'toml').map(({ text }) => text);
    expect(toml.trim().split('\n')).toEqual([
      '[mcp_servers.nightshift]',
      `url = "${ADDRESS}"`,
      'bearer_token_env_var = "NIGHTSHIFT_TOKEN"',
    ]);
  });

  it('name scopes that there are', () => {
    const named = [...page.matchAll(/[a-z]+:(?:read|write|run|decide)\b/g)].map(([scope]) => scope);
    expect(named.length).toBeGreaterThan(4);
    for (const scope of named) expect(SCOPE_NAMES).toContain(scope);
  });
});
