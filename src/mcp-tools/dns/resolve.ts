import { Resolver } from 'node:dns/promises';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { defineTool, toolFailed } from '../tool.ts';
import { type DnsSettings, HOST_NAME } from './settings.ts';

const TRY_MS = 2_000;
const TRIES = 2;
const RECORDS_MAX = 50;

const input = z.strictObject({
  name: z.string().regex(HOST_NAME, 'must be a whole name in lower case').describe('The whole name to ask for.'),
  type: z
    .enum(['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SRV', 'TXT'])
    .optional()
    .describe('The type of records; A unless you say otherwise.'),
});

/** What is an answer all the same: the name or the type is not there, or the name servers failed. */
const FINDINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not exist',
  ENODATA: 'the name has no record of this type',
  ESERVFAIL: 'the name server failed (SERVFAIL)',
  EREFUSED: 'the name server refused',
  ETIMEOUT: 'no name server answered in time',
  ECONNREFUSED: 'no name server can be reached',
};

/** Asks for the records of one name; that there are none is a finding, not a failure. */
export const resolve = defineTool<DnsSettings, typeof input>({
  name: 'dns.resolve',
  description: 'Asks the name servers for the records of one name, and says how long that took and why there are none.',
  input,
  risk: 'read',
  target: ({ name }) => `name ${name}`,
  undo: 'nothing to undo',
  timeoutSeconds: 10,
  run: async ({ name, type = 'A' }, { settings, signal }) => {
    if (!settings.domains.some((domain) => name === domain || name.endsWith(`.${domain}`)))
      throw toolFailed(`${name} is in none of the domains that may be asked for (${settings.domains.join(', ')})`, {
        fix: 'add its domain to the setting `domains` of this toolset, if it may be',
      });
    const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
    if (settings.servers) resolver.setServers(settings.servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    const startedAt = performance.now();
    const took = () => Math.round(performance.now() - startedAt);
    try {
      signal.throwIfAborted();
      const records: unknown[] = await resolver.resolve(name, type).then((found) => [found].flat());
      return {
        name,
        type,
        found: true,
        count: records.length,
        records: records.slice(0, RECORDS_MAX),
        durationMs: took(),
      };
    } catch (cause) {
      if (signal.aborted) throw toolFailed('the name servers did not answer in time', { cause });
      const why = FINDINGS[(cause as { code?: string }).code ?? ''];
      if (why === undefined) throw toolFailed(`${name} cannot be asked for: ${messageOf(cause)}`, { cause });
      return { name, type, found: false, count: 0, records: [], why, durationMs: took() };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  },
});
