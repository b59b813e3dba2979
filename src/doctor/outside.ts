/** What Nightshift needs of others: Slack, PagerDuty, models, the way in from outside, and the repositories of runbooks. */
import { fetch } from 'undici';
import { z } from 'zod';
import { type Config, type ModelConfig, modelName, PROVIDERS } from '../config/index.ts';
import { reachRemote } from '../rag/index.ts';
import { type Check, type Finding, fail, ok, warn } from './finding.ts';

const modelsSchema = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });
const REACH = 'see whether this host may reach it (firewall, proxy, DNS)';

type Outside = Pick<Config, 'slack' | 'people' | 'services' | 'sources' | 'models' | 'runbookRemotes'>;

/** Makes the checks of everything that is configured outside; models are asked for their lists only with `askModels`, which costs nothing. */
export function outsideChecks(config: Outside, { askModels }: { readonly askModels: boolean }): Check[] {
  const { slack, sources, models, runbookRemotes } = config;
  const accounts = Object.entries(sources).flatMap(([source, declared]) =>
    declared.type === 'pagerduty' && declared.api ? [{ source, ...declared.api }] : [],
  );
  const untold: Check = {
    name: 'models',
    fix: '',
    run: async () => [ok('models', `${models.length} configured, not asked (--ask-models asks them)`)],
  };
  return [
    ...(slack ? [{ name: 'slack', fix: REACH, run: () => checkSlack(config, slack) }] : []),
    ...(slack?.publicUrl ? [wayIn(slack.publicUrl)] : []),
    ...accounts.map(({ source, token, url }) => pagerDuty(source, token, url)),
    ...(askModels ? models.map(model) : models.length > 0 ? [untold] : []),
    ...runbookRemotes.map(
      (remote): Check => ({
        name: 'runbooks',
        fix: 'see that the repository is there, and that this user may read it (key, token, known_hosts)',
        run: async (signal) => {
          await reachRemote(remote, signal);
          return [ok('runbooks', `${remote.url} has ${remote.ref}`)];
        },
      }),
    ),
  ];
}

async function checkSlack(
  { people, services }: Outside,
  slack: NonNullable<Config['slack']>,
): Promise<readonly Finding[]> {
  // Loaded where it is configured only: Slack's libraries take their time.
  const { checkSlack: check } = await import('../slack/index.ts');
  const serviceChannels = services.all.flatMap(({ slackChannel }) => slackChannel ?? []);
  const found = await check({ config: slack, people, serviceChannels, post: false });
  return found.map(({ name, found: what, fix }) =>
    fix === null ? ok(`slack: ${name}`, what) : fail(`slack: ${name}`, what, fix),
  );
}

/** Whoever sends from outside takes the same way; that it leads here again is seen by the answer. */
function wayIn(publicUrl: string): Check {
  const name = 'public address';
  const fix = 'see that the proxy or tunnel in front of Nightshift runs, and passes every path on to server.port';
  const at = new URL('/healthz', publicUrl).href;
  return {
    name,
    fix,
    async run(signal) {
      const response = await fetch(at, { signal, redirect: 'manual' });
      const body = await response.json().catch(() => null);
      const isOurs = response.status === 200 && (body as { status?: string } | null)?.status === 'ok';
      return [
        isOurs
          ? ok(name, `${at} answers`)
          : fail(name, `${at} answers ${response.status}, and not as Nightshift does`, fix),
      ];
    },
  };
}

function pagerDuty(source: string, token: string, url: string): Check {
  const name = `pagerduty: ${source}`;
  return {
    name,
    fix: REACH,
    async run(signal) {
      const headers = { authorization: `Token token=${token}`, accept: 'application/vnd.pagerduty+json;version=2' };
      const response = await fetch(`${url.replace(/\/+$/, '')}/abilities`, { headers, signal, redirect: 'manual' });
      await response.arrayBuffer();
      if (response.ok) return [ok(name, 'the token is good')];
      const what = `it answers ${response.status}`;
      if (response.status === 401 || response.status === 403)
        return [
          fail(
            name,
            `${what}: the token is not good`,
            `make a REST API key, and set it at sources.${source}.api.token`,
          ),
        ];
      return [warn(name, what, 'try again later; look at https://status.pagerduty.com')];
    },
  };
}

function model(config: ModelConfig, index: number): Check {
  const name = `model: ${modelName(config)}`;
  const { baseUrl, listed } = PROVIDERS[config.provider];
  const base = (config.baseUrl ?? baseUrl).replace(/\/+$/, '');
  return {
    name,
    fix: REACH,
    async run(signal) {
      const response = await fetch(base + listed.path, {
        headers: config.apiKey === undefined ? {} : listed.headers(config.apiKey),
        signal,
        // The key is for this address and no other.
        redirect: 'manual',
      });
      const text = await response.text();
      if (response.status === 401 || response.status === 403)
        return [
          fail(
            name,
            `it answers ${response.status}: the key is not good`,
            `set models.${index}.apiKey to a key that is`,
          ),
        ];
      if (!response.ok) return [warn(name, `it answers ${response.status} when asked for its models`, REACH)];
      const answer = modelsSchema.safeParse(parsed(text));
      if (!answer.success)
        return [warn(name, 'it gives no list of its models', 'nothing, where its questions are answered')];
      const isThere = answer.data.data.some(({ id }) => id === config.model || id.startsWith(`${config.model}:`));
      return [
        isThere
          ? ok(name, 'the key is good, and the model is there')
          : warn(name, 'the key is good, and the model is not in its list', `look at models.${index}.model`),
      ];
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
