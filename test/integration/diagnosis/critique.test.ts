import { describe, expect, it } from 'vitest';
import { addEvidence } from '../../../src/diagnosis/store.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import {
  answered,
  aroundTests,
  makeStages,
  mock,
  model,
  openQuietly,
  runStages,
  storedAlert,
  type World,
} from './stages.ts';

const REVIEWS = /You review the diagnosis/;
const ALERT = storedAlert({ alertname: 'CheckoutDown', namespace: 'shop', service: 'checkout' });
let serial = 0;

describe.each(anyDatabase)('a diagnosis and its critics, on the $name database', ({ open }) => {
  const at = aroundTests(open);

  const routing = { diagnose: { models: ['first'] }, critique: { models: ['first', 'second'] } } as const;
  const two = (): Partial<World> => ({ models: [model('first'), model('second')], routing: { ...routing } as never });
  const one = (): Partial<World> => ({ models: [model('first')] });

  /** Diagnoses an incident whose one item of evidence is this. */
  const diagnose = async (
    given: Partial<World>,
    { context = {}, evidence = {} }: { context?: object; evidence?: object } = {},
  ) => {
    serial += 1;
    const id = await openQuietly(at.db, { context });
    const content = `{"pool":"exhausted","number":${serial}}`;
    await addEvidence(at.db, id, 1, [
      {
        ref: 'E1',
        kind: 'tool',
        title: 'db postgres.activity {}',
        content,
        origin: { outcome: 'succeeded' },
        ...evidence,
      },
    ]);
    const stages = makeStages({ db: at.db, ...given });
    const { context: after, events } = await runStages(at.db, id, [stages.diagnose], [ALERT]);
    const roles = mock.getRequests().map(({ body }) => (REVIEWS.test(JSON.stringify(body)) ? 'critique' : 'diagnose'));
    return { diagnosis: after.diagnosis, events, roles };
  };
  const says = (...answers: string[]) => {
    answers.forEach((content, sequenceIndex) => {
      const last = sequenceIndex === answers.length - 1;
      mock.on({ systemMessage: /Find its most likely root cause/, ...(last ? {} : { sequenceIndex }) }, { content });
    });
  };
  const reviews = (verdicts: Record<string, boolean>, sequenceIndex?: number) => {
    const claims = Object.entries(verdicts).map(([id, carried]) => ({ id, carried, why: 'E1 says so or not.' }));
    const match = {
      systemMessage: REVIEWS,
      model: 'second',
      ...(sequenceIndex === undefined ? {} : { sequenceIndex }),
    };
    mock.on(match, { content: JSON.stringify({ claims }) });
  };

  it('passes when the quotes hold and another model says that the evidence carries each claim', async () => {
    says(answered());
    reviews({ C1: true });
    const { diagnosis, roles, events } = await diagnose(two());
    expect(diagnosis).toMatchObject({ model: 'first', review: 'passed', confidence: 'high', inconclusive: false });
    expect(roles).toEqual(['diagnose', 'critique']);
    expect(events.find(({ type }) => type === 'diagnosis.reviewed')?.data).toMatchObject({
      model: 'second',
      review: 'passed',
    });
    const sent = JSON.stringify(mock.getRequests().at(-1)?.body);
    expect(sent).toContain('C1: The pool is exhausted.');
    expect(sent).toContain('<quote of=');
  });

  it('is reviewed by nobody where there is only the model that answered', async () => {
    says(answered());
    const { diagnosis, roles } = await diagnose(one());
    expect(diagnosis).toMatchObject({ review: 'none', confidence: 'high', inconclusive: false });
    expect(roles).toEqual(['diagnose']);
  });

  it('goes back with the objections of the other model, and passes once it is mended', async () => {
    says(answered({ root_cause: 'The moon did it.' }), answered());
    reviews({ C1: false }, 0);
    reviews({ C1: true });
    const { diagnosis, roles } = await diagnose(two());
    expect(roles).toEqual(['diagnose', 'critique', 'diagnose', 'critique']);
    expect(diagnosis).toMatchObject({ review: 'passed', rootCause: 'The pool is exhausted.' });
    expect(JSON.stringify(mock.getRequests()[2]?.body)).toContain('“The moon did it.” is not carried by the evidence');
  });

  it('is not carried by a reviewer who says both yes and no', async () => {
    says(answered());
    const claims = [false, true].map((carried) => ({ id: 'C1', carried, why: 'E1 says so or not.' }));
    mock.on({ systemMessage: REVIEWS, model: 'second' }, { content: JSON.stringify({ claims }) });
    expect((await diagnose(two())).diagnosis).toMatchObject({ review: 'rejected', inconclusive: true });
  });

  it('is inconclusive when it is rejected to the end, after three rounds and no more', async () => {
    says(answered());
    reviews({ C1: false });
    const { diagnosis, roles } = await diagnose(two());
    expect(diagnosis).toMatchObject({ review: 'rejected', inconclusive: true, confidence: 'low' });
    expect(roles.filter((role) => role === 'diagnose')).toHaveLength(3);
  });

  it('loses only the hypothesis that was ruled out without reason', async () => {
    says(answered({ ruled_out: [{ hypothesis: 'the network', why: 'I feel so', evidence: null }] }));
    reviews({ C1: true, C2: false });
    const { diagnosis } = await diagnose({ ...two(), investigation: { critiqueRounds: 1 } });
    expect(diagnosis).toMatchObject({ review: 'passed', inconclusive: false, ruledOut: [] });
  });

  it.each([
    ['does not answer', { status: 500, error: { message: 'down' } }],
    ['passes over a claim in silence', { content: '{"claims":[]}' }],
    ['answers in another form', { content: '{"approved":true}' }],
    ['answers no JSON', { content: 'Looks good to me!' }],
  ])('is not believed more for a critic that %s', async (_, response) => {
    says(answered());
    mock.on({ systemMessage: REVIEWS }, response as never);
    const { diagnosis } = await diagnose(two());
    expect(diagnosis).toMatchObject({ review: 'unavailable', confidence: 'low', inconclusive: false });
  });

  it('may cost so much and no more, and what was not reviewed for that counts as not reviewed', async () => {
    const dear = { price: { input: 0, output: 1_000 } };
    mock.on({ systemMessage: /Find its most likely root cause/ }, {
      content: answered(),
      usage: { prompt_tokens: 10, completion_tokens: 300, total_tokens: 310 },
    } as never);
    mock.on({ systemMessage: REVIEWS }, {
      content: '{"claims":[{"id":"C1","carried":false,"why":"no"}]}',
      usage: { prompt_tokens: 10, completion_tokens: 300, total_tokens: 310 },
    } as never);
    const { roles, diagnosis } = await diagnose({
      ...two(),
      models: [model('first', dear), model('second', dear)],
      investigation: { critiqueUsd: 0.5 },
    });
    // The review costs 0.3 and the second answer 0.3, which is all there was.
    expect(roles).toEqual(['diagnose', 'critique', 'diagnose']);
    expect(diagnosis).toMatchObject({ review: 'unavailable', confidence: 'low' });
  });

  it('is asked for no third time when the second answer took all the money', async () => {
    const price = { input: 0, output: 1_000 };
    const used = { prompt_tokens: 10, completion_tokens: 300, total_tokens: 310 };
    const content = answered({ citations: [{ evidence: 'E1', quote: 'not there' }] });
    mock.on({ systemMessage: /Find its most likely root cause/ }, { content, usage: used } as never);
    const { roles, diagnosis } = await diagnose({
      models: [model('first', { price })],
      investigation: { critiqueUsd: 0.2 },
    });
    expect(roles).toEqual(['diagnose', 'diagnose']);
    expect(diagnosis).toMatchObject({ inconclusive: true, citations: [] });
  });

  it('names no component that nothing names, and none outside of what the alerts are about', async () => {
    const components = [
      { kind: 'service', name: 'checkout', evidence: null },
      { kind: 'process', name: 'pool', evidence: 'E1' },
    ];
    says(answered({ components }));
    expect((await diagnose(one())).diagnosis).toMatchObject({ components, inconclusive: false });

    mock.reset();
    says(answered({ components: [{ kind: 'process', name: 'cart', evidence: 'E1' }] }));
    const { diagnosis, roles } = await diagnose(one());
    expect(roles).toHaveLength(3);
    expect(diagnosis).toMatchObject({ components: [], inconclusive: false });

    mock.reset();
    says(answered({ components: [{ kind: 'namespace', name: 'exhausted', evidence: 'E1' }] }));
    expect((await diagnose(one())).diagnosis).toMatchObject({ components: [], inconclusive: true });
    expect(JSON.stringify(mock.getRequests()[1]?.body)).toContain('the alerts are about namespace shop');
  });

  it('honours inconclusive as it is, and has it reviewed by nobody', async () => {
    says(answered({ inconclusive: true, confidence: 'low', citations: [] }));
    const { diagnosis, roles } = await diagnose(two());
    expect(diagnosis).toMatchObject({ inconclusive: true, review: 'none', mode: 'model' });
    expect(roles).toEqual(['diagnose']);
  });

  it('may quote the whole of what was shown in part, and not a summary of it', async () => {
    const evidence = {
      content: 'Summary by first, in its own words: all is well',
      full: '{"log":"FATAL: pool exhausted"}',
    };
    says(answered({ citations: [{ evidence: 'E1', quote: 'FATAL: pool exhausted' }] }));
    expect((await diagnose(one(), { evidence })).diagnosis).toMatchObject({ inconclusive: false });
    mock.reset();
    says(answered({ citations: [{ evidence: 'E1', quote: 'all is well' }] }));
    expect((await diagnose(one(), { evidence })).diagnosis).toMatchObject({ inconclusive: true, citations: [] });
  });

  it('is told what the investigation noted, and by the specialist of the record alone', async () => {
    says(answered());
    const judged = { confidence: 0.9, why: '' };
    const triage = {
      specialist: { ...judged, value: 'database', by: 'labels' },
      category: { ...judged, value: 'other' },
      severity: { ...judged, value: 'critical', modelSays: null },
      blast: { ...judged, alerts: 1, targets: [], dependents: [] },
    };
    const notes = [{ text: 'Sessions idle in transactions.', citations: [{ evidence: 'E1', quote: 'pool' }] }];
    await diagnose(one(), { context: { triage, notes } });
    const sent = JSON.stringify(mock.getRequests()[0]?.body);
    expect(sent).toContain('- Sessions idle in transactions. (E1)');
    expect(sent).toContain('This one looks like a database');
  });

  it.each([8_000, 200_000])('fits a window of %i tokens with its answer and its objections', async (contextTokens) => {
    says(answered({ citations: [{ evidence: 'E1', quote: 'not there' }] }), answered());
    const evidence = { content: `{"pool":"${'x y '.repeat(50_000)}"}` };
    const { diagnosis } = await diagnose({ models: [model('first', { contextTokens })] }, { evidence });
    expect(diagnosis).toMatchObject({ inconclusive: false });
    for (const { body } of mock.getRequests())
      expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(contextTokens * 3.5);
  });
});
