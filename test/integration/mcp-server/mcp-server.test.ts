/** Nightshift as an MCP server, asked by the SDK's own client over HTTP and on standard input and output. */
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyDatabase } from '../../real-parts/databases.ts';
import { type CountingSupervisor, startCountingSupervisor } from '../support/doubles.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
---
# The spool is stuck
A poison job blocks the workers; restart them.
`;
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

describe.each(anyDatabase)('the MCP server, on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let supervisor: CountingSupervisor;
  const tokens: Record<string, string> = {};
  const clients: Client[] = [];

  beforeAll(async () => {
    supervisor = await startCountingSupervisor();
    nightshift = await startNightshift({
      database,
      runbooks: { 'spool.md': RUNBOOK, 'disk.md': '# Disk is full\n\nRotate the logs of the host.\n' },
      config: {
        mode: 'ask',
        people: [
          { name: 'ana', role: 'approver' },
          { name: 'ben', role: 'approver' },
          { name: 'eve', role: 'viewer' },
        ],
        toolsets: { processes: { uses: 'supervisor', url: supervisor.url } },
      },
    });
    for (const [name, role] of [
      ['ana', 'approver'],
      ['ben', 'approver'],
      ['eve', 'viewer'],
    ] as const) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, person: name, role });
      tokens[name] = body.secret;
    }
  });
  afterAll(async () => {
    await Promise.allSettled(clients.map((client) => client.close()));
    await nightshift?.stop();
    supervisor?.stop();
  });

  const connect = async (person: string): Promise<Client> => {
    const client = new Client({ name: 'test', version: '1' });
    const headers = { authorization: `Bearer ${tokens[person]}` };
    await client.connect(
      new StreamableHTTPClientTransport(new URL('/mcp', nightshift.app.url), { requestInit: { headers } }) as never,
    );
    clients.push(client);
    return client;
  };
  const call = async (client: Client, name: string, args: Record<string, unknown> = {}) => {
    const answer = (await client.callTool({ name, arguments: args })) as CallToolResult;
    const [content] = answer.content;
    return {
      isError: answer.isError === true,
      text: content?.type === 'text' ? content.text : '',
      ...answer.structuredContent,
    } as {
      isError: boolean;
      text: string;
    } & Record<string, never>;
  };
  const post = async (headers: Record<string, string>, body: object = INITIALIZE) => {
    const accept = 'application/json, text/event-stream';
    const answer = await fetch(new URL('/mcp', nightshift.app.url), {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, session: answer.headers.get('mcp-session-id'), text: await answer.text() };
  };

  it('lists what it can do, and marks the one tool that may change something', async () => {
    const { tools } = await (await connect('ana')).listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'explain_policy',
      'get_incident',
      'list_incidents',
      'propose_action',
      'query_metrics',
      'search_past_incidents',
      'search_runbooks',
    ]);
    expect(tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).map(({ name }) => name)).toEqual([
      'propose_action',
    ]);
  });

  it('looks: incidents, runbooks with lines, past incidents, and says what is wrong with a question', async () => {
    const client = await connect('eve');
    const { body } = await nightshift.deliver([
      alert({ alertname: 'SpoolStuck', process: 'spool' }, { fingerprint: 'a1' }),
    ]);
    const id = `INC-${(body.incidents as number[])[0]}`;
    expect((await call(client, 'list_incidents')).text).toContain(id);
    expect((await call(client, 'get_incident', { incident: id })).text).toContain('SpoolStuck');
    expect((await call(client, 'search_runbooks', { query: 'the disk of a host is full' })).text).toMatch(
      /disk\.md:1-3/,
    );
    expect(await call(client, 'search_runbooks', { query: 'quantum smoothie' })).toMatchObject({
      fits: false,
      found: [],
    });
    expect(await call(client, 'search_past_incidents', { query: 'spool' })).toMatchObject({ isError: false });
    expect(await call(client, 'get_incident', { incident: 'x' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('write it as INC-7'),
    });
    expect(await call(client, 'get_incident', { incident: 'INC-999' })).toMatchObject({ isError: true });
    expect((await call(client, 'query_metrics', { query: 'up' })).text).toContain('no prometheus instance');
  });

  it('proposes and never runs: a person decides elsewhere, and not the one who proposed', async () => {
    const args = {
      tool: 'supervisor.restart',
      arguments: { process: 'web' },
      labels: { service: 'shop' },
      reason: 'It hangs.',
    };
    expect(await call(await connect('eve'), 'propose_action', args)).toMatchObject({
      isError: true,
      text: expect.stringContaining('proposing needs approver'),
    });
    const client = await connect('ana');
    const { incident } = await call(client, 'propose_action', args);
    const id = Number(String(incident).slice(4));
    await nightshift.until(id, 'awaiting_approval');
    expect(supervisor.started).toEqual([]);
    expect((await call(client, 'explain_policy', { of: incident })).text).toContain('supervisor.restart');
    const { id: approval, digest } = (await nightshift.incident(id)).approvals.at(-1) ?? {};
    const own = await nightshift.api(`/approvals/${approval}/decision`, { decision: 'approve', digest }, tokens.ana);
    expect(own.status).toBe(403);
    expect(supervisor.started).toEqual([]);
    expect(await call(client, 'propose_action', { reason: 'x' })).toMatchObject({
      isError: true,
      text: expect.stringContaining('exactly one'),
    });
  });

  it('tells of progress while it waits, and stops waiting when it is told to', async () => {
    const client = await connect('ana');
    const { incident } = await call(client, 'propose_action', {
      tool: 'supervisor.restart',
      arguments: { process: 'db' },
      reason: 'x',
    });
    await nightshift.until(Number(String(incident).slice(4)), 'awaiting_approval');
    const progress: unknown[] = [];
    const abort = new AbortController();
    const waiting = client.callTool({ name: 'get_incident', arguments: { incident, waitSeconds: 60 } }, undefined, {
      onprogress: (told) => {
        progress.push(told);
        abort.abort();
      },
      signal: abort.signal,
    });
    const approval = (await nightshift.incident(Number(String(incident).slice(4)))).approvals.at(-1);
    setTimeout(() => {
      void nightshift.api(
        `/approvals/${approval?.id}/decision`,
        { decision: 'deny', digest: approval?.digest },
        tokens.ben,
      );
    }, 700);
    await expect(waiting).rejects.toThrow();
    expect(progress.length).toBeGreaterThan(0);
  });

  it('gives runbooks and timelines as resources, with completions, and prompts', async () => {
    const client = await connect('eve');
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toContain('nightshift://runbooks/spool.md');
    const { contents } = await client.readResource({ uri: 'nightshift://runbooks/spool.md' });
    expect(JSON.stringify(contents)).toContain('poison job');
    const timeline = await client.readResource({ uri: 'nightshift://incidents/INC-1/timeline' });
    expect(JSON.stringify(timeline.contents)).toContain('incident.opened');
    await expect(client.readResource({ uri: 'nightshift://runbooks/none.md' })).rejects.toThrow(/there is no runbook/);
    const completed = await client.complete({
      ref: { type: 'ref/resource', uri: 'nightshift://runbooks/{+path}' },
      argument: { name: 'path', value: 'sp' },
    });
    expect(completed.completion.values).toEqual(['spool.md']);
    const { prompts } = await client.listPrompts();
    expect(prompts.map(({ name }) => name).sort()).toEqual(['draft_runbook', 'investigate', 'write_postmortem']);
    const prompt = await client.getPrompt({ name: 'investigate', arguments: { incident: 'INC-1' } });
    expect(JSON.stringify(prompt.messages)).toContain('INC-1');
  });

  it('lets nobody in without a token, under another name, or from another page', async () => {
    expect((await post({})).status).toBe(401);
    expect((await post({ authorization: 'Bearer nonsense' })).status).toBe(401);
    const authorization = `Bearer ${tokens.eve}`;
    expect((await post({ authorization, origin: 'https://evil.example' })).status).toBe(403);
    expect((await post({ authorization, origin: 'null' })).status).toBe(403);
    expect((await post({ authorization, origin: nightshift.app.url })).status).toBe(200);
    // fetch lets nobody set Host.
    const { port } = new URL(nightshift.app.url);
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { host: `evil.example:${port}`, authorization, 'content-type': 'application/json' };
      httpRequest({ port, host: '127.0.0.1', path: '/mcp', method: 'POST', headers }, ({ statusCode }) =>
        resolve(statusCode),
      )
        .on('error', reject)
        .end(JSON.stringify(INITIALIZE));
    });
    expect(rebound).toBe(403);
  });

  it('knows no session of another person, nor one that it never made', async () => {
    const mine = await post({ authorization: `Bearer ${tokens.ana}` });
    expect(mine.session).toBeTruthy();
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const headers = { 'mcp-session-id': mine.session ?? '', 'mcp-protocol-version': '2025-11-25' };
    expect((await post({ ...headers, authorization: `Bearer ${tokens.ana}` }, list)).status).toBe(200);
    expect((await post({ ...headers, authorization: `Bearer ${tokens.eve}` }, list)).status).toBe(404);
    expect((await post({ 'mcp-session-id': 'none', authorization: `Bearer ${tokens.ana}` }, list)).status).toBe(404);
    expect((await post({ authorization: `Bearer ${tokens.ana}` }, list)).status).toBe(400);
  });

  it('speaks on standard input and output, too', async () => {
    const client = new Client({ name: 'test', version: '1' });
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [join(import.meta.dirname, '../../../src/main.ts'), 'mcp'],
      env: { NIGHTSHIFT_URL: nightshift.app.url, NIGHTSHIFT_TOKEN: tokens.eve ?? '', PATH: process.env.PATH ?? '' },
    });
    await client.connect(transport as never);
    clients.push(client);
    expect((await call(client, 'search_runbooks', { query: 'spool stuck', alertname: 'SpoolStuck' })).text).toContain(
      'spool.md',
    );
  });

  it('keeps a bounded number of sessions, of which nobody has all', async () => {
    const open = async (person: string, count: number) => {
      const answers: Awaited<ReturnType<typeof post>>[] = [];
      for (let made = 0; made < count; made += 1)
        answers.push(await post({ authorization: `Bearer ${tokens[person]}` }));
      return answers;
    };
    const eve = await open('eve', 110);
    expect(new Set(eve.map(({ status }) => status))).toEqual(new Set([200]));
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const ask = async (session: string | null | undefined) => {
      const headers = { 'mcp-session-id': session ?? '', 'mcp-protocol-version': '2025-11-25' };
      return (await post({ ...headers, authorization: `Bearer ${tokens.eve}` }, list)).status;
    };
    expect(await ask(eve[0]?.session)).toBe(404);
    expect(await ask(eve.at(-1)?.session)).toBe(200);
    expect((await open('ana', 1))[0]?.status).toBe(200);
    await open('ana', 40);
    expect((await open('ben', 40)).at(-1)?.status).toBe(503);
  });
});
