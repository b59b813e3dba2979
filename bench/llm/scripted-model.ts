/** A model in a process of its own, on loopback, that answers after so many ms (the first argument; at once without it); its first line of output is its address. */
import { LLMock } from '@copilotkit/aimock';

const mock = new LLMock({ port: 0, logLevel: 'silent' });
const latencyMs = Number(process.argv[2] ?? 0);
if (latencyMs > 0) mock.setChaos({ latencyMs });
await mock.start();
const processIn = (text: string) => /\\?"process\\?":\s*\\?"([a-z0-9-]+)/.exec(text)?.[1] ?? '';
const diagnosis = {
  root_cause: 'The worker hangs.',
  confidence: 'high',
  citations: [{ evidence: 'E1', quote: 'The worker hangs' }],
  components: [],
  ruled_out: [],
  unknowns: [],
  inconclusive: false,
};
mock.on({ systemMessage: /You plan the remedy/ }, (request) => ({
  content: 'A restart frees it.',
  toolCalls: [
    {
      name: 'supervisor__restart',
      arguments: JSON.stringify({
        arguments: { process: processIn(JSON.stringify(request.messages)) },
        reason: 'It hangs.',
        expected_effect: 'It answers again.',
      }),
    },
  ],
}));
mock.on({ systemMessage: /"?root_cause/ }, { content: JSON.stringify(diagnosis) });
mock.on({}, { content: 'Enough is known.' });
process.stdout.write(`${mock.url}\n`);
