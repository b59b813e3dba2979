import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRecordedIncident, recordIncident } from '../../../src/evaluation/index.ts';

const PROBE = { instance: 'web', tool: 'http.probe', arguments: { url: 'http://shop.test/' } };
const LOOK = { kind: 'tool', content: '{"status":503}', origin: { ...PROBE, outcome: 'succeeded' } };
const CHECK = { ...PROBE, expect: 'status == 200' };
const CHECK_NAME = `http.probe ${JSON.stringify(PROBE.arguments)}: status == 200`;
const checked = (saw: string, hasPassed: boolean) => ({
  type: 'verification.checked',
  at: '2026-11-01T10:05:00Z',
  data: { checks: [{ check: CHECK_NAME, passed: hasPassed, saw }] },
});
const passed = (saw: string) => checked(saw, true);
const incident = (change: object = {}) =>
  readRecordedIncident({
    id: 'INC-7',
    title: 'ShopDown',
    state: 'escalated',
    openedAt: '2026-11-01T10:00:00Z',
    alerts: [{ labels: { alertname: 'ShopDown' }, annotations: { summary: 'it is down' } }],
    diagnosis: null,
    evidence: [LOOK],
    actions: [],
    events: [],
    ...change,
  });
const WEB = { uses: 'http', match: [], allow: ['http://shop.test'] };
const around = (toolsets: object = {}) =>
  ({ toolsets: { web: WEB, ...toolsets }, policies: [], runbooks: [] }) as unknown as Parameters<
    typeof recordIncident
  >[1];
const lookAt = (instance: string, tool: string) => ({
  evidence: [LOOK, { kind: 'tool', content: '{}', origin: { instance, tool, arguments: {}, outcome: 'succeeded' } }],
});

describe('recordIncident', () => {
  let parent: string;
  let folder: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'nightshift-record-'));
    folder = join(parent, 'inc-7');
  });
  afterEach(() => rmSync(parent, { recursive: true }));
  const world = () => JSON.parse(readFileSync(join(folder, 'world.json'), 'utf8'));

  it('writes the whole folder and nothing beside it, in the place of what was there', () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'left.txt'), 'of another time');
    recordIncident(incident(), around(), folder);
    expect(readdirSync(parent)).toEqual(['inc-7']);
    expect(readdirSync(folder).sort()).toEqual(['runbooks', 'scenario.yaml', 'world.json']);
    expect(world().phases[0].looks).toMatchObject([{ ...PROBE, result: { status: 503 } }]);
  });

  it('makes the folder around it, and none around that', () => {
    recordIncident(incident(), around(), join(parent, 'suite', 'inc-7'));
    expect(existsSync(join(parent, 'suite', 'inc-7', 'world.json'))).toBe(true);
    expect(() => recordIncident(incident(), around(), join(parent, 'a', 'b', 'inc-7'))).toThrow(
      expect.objectContaining({ code: 'conflict', message: expect.stringContaining('name an --out in a folder') }),
    );
    expect(readdirSync(parent)).toEqual(['suite']);
  });

  it('writes nothing that `eval check` would refuse, and leaves what was there as it was', () => {
    const wrong = incident(lookAt('web', 'http.polish'));
    const refused = expect.objectContaining({
      code: 'invalid_config',
      message: expect.stringContaining('the instance has no such tool'),
    });
    expect(() => recordIncident(wrong, around(), folder)).toThrow(refused);
    expect(readdirSync(parent)).toEqual([]);
    recordIncident(incident(), around(), folder);
    writeFileSync(join(folder, 'mine.txt'), 'x');
    expect(() => recordIncident(wrong, around(), folder)).toThrow(refused);
    expect(readdirSync(parent)).toEqual(['inc-7']);
    expect(readdirSync(folder)).toContain('mine.txt');
  });

  it('keeps nothing of the settings that open a system, and fills in what they cannot do without', () => {
    const opens = { username: 'svc-night', password: 'plain words' };
    const toolsets = {
      db: { uses: 'postgres', match: [], host: 'db.test', ...opens },
      cache: { uses: 'redis', match: [], host: 'cache.test', ...opens },
    };
    const evidence = [...lookAt('db', 'postgres.activity').evidence, ...lookAt('cache', 'redis.info').evidence];
    recordIncident(incident({ evidence }), around(toolsets), folder);
    const { instances } = world();
    expect(instances.db).toEqual({
      uses: 'postgres',
      match: [],
      host: 'db.test',
      username: 'redacted',
      password: '[redacted:secret-value]',
    });
    expect(instances.cache).toEqual({ uses: 'redis', match: [], host: 'cache.test' });
  });

  it.each([
    ['manifests', { manifests: './tools' }],
    ['pins', { pins: './pins.json' }],
  ])('records no instance with tools of its own (%s), which would be played by others', (_, own) => {
    expect(() => recordIncident(incident(), around({ web: { ...WEB, ...own } }), folder)).toThrow(
      /cannot be recorded: web has tools of its own\. Fix: /,
    );
    expect(readdirSync(parent)).toEqual([]);
  });

  it('records what was over only where it is known what the checks saw', () => {
    const over = (events: object[]) => incident({ state: 'resolved', checks: [CHECK], events });
    for (const events of [[], [passed('{"sta')], [passed('{"status":5')], [passed('{"status":503}')]])
      expect(() => recordIncident(over(events), around(), folder), JSON.stringify(events)).toThrow(
        /was not kept whole/,
      );
    expect(readdirSync(parent)).toEqual([]);
    const seen = [passed('{"status":200,"body":"ok, and more th'), checked('{"status":503}', false)];
    recordIncident(over(seen), around(), folder);
    expect(world().phases[0]).toMatchObject({ over: true, looks: [{ ...PROBE, result: { status: 200 } }] });
  });

  it('takes no incident of another version for one', () => {
    expect(() => readRecordedIncident({ id: 'INC-7', alerts: 'none' })).toThrow(
      expect.objectContaining({ code: 'conflict', message: expect.stringContaining('of the version that serves') }),
    );
  });
});
