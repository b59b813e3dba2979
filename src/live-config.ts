/** The part of the configuration that can be read again while Nightshift runs. */
import type { ConfigReloader, Reloaded, ReloadState } from './api/index.ts';
import type { Config, Services } from './config/index.ts';
import { messageOf, NightshiftError } from './errors.ts';
import type { NewEvent } from './incident/index.ts';
import { loadPolicy, type Policy } from './policy/index.ts';
import type { Logger, Metrics } from './telemetry/index.ts';

/** What a reload puts in force. */
const RELOADED: readonly (keyof Config)[] = ['policies', 'services'];
/** Says how the file was found, and nothing of what it wants. */
const ABOUT_THE_FILE: readonly (keyof Config)[] = ['configured', 'warnings'];

export interface LiveConfigDependencies {
  readonly config: Config;
  /** Reads the configuration anew, or throws; where it is left out, only the folders of policies are read again. */
  readonly readConfig?: (() => Config) | undefined;
  /** Leaves an event. */
  readonly record: (event: NewEvent) => Promise<unknown>;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface LiveConfig extends ConfigReloader {
  /** The configuration of the start, with services that are always those in force. */
  readonly config: Config;
  /** The policy in force now; whoever judges takes it once, and judges by that to the end. */
  readonly policy: () => Policy;
  /** The same dependencies with the policy that is in force whenever it is taken. */
  judgingBy<D extends object>(dependencies: D): D & { readonly policy: Policy };
}

/** Holds what can be read again: a reload changes all of it or nothing, one reload after another, and leaves an event of who asked and what came of it. @throws NightshiftError `invalid_policy` where the policy of the start has a mistake. */
export async function openLiveConfig(dependencies: LiveConfigDependencies): Promise<LiveConfig> {
  const { config: first, readConfig = () => first, record, metrics, log } = dependencies;
  let policy = await loadPolicy(first.policies);
  let { services } = first;
  let state: ReloadState = {
    loadedAt: new Date().toISOString(),
    policySha256: policy.sha256,
    needsRestart: [],
    failed: null,
  };
  let before: Promise<unknown> = Promise.resolve();
  const succeeded = () => {
    metrics.reloadSuccessful.set(1);
    metrics.reloadedAt.set(Date.parse(state.loadedAt) / 1000);
  };
  succeeded();
  const live: Services = {
    get all() {
      return services.all;
    },
    serviceOf: (labels) => services.serviceOf(labels),
    pathBetween: (from, to) => services.pathBetween(from, to),
  };

  async function reload({ actor, via }: { actor: string; via: string }): Promise<Reloaded> {
    try {
      const next = readConfig();
      const read = await loadPolicy(next.policies);
      const changed = [
        ...(read.sha256 === policy.sha256 ? [] : ['policies']),
        ...(same(next.services.all, services.all) ? [] : ['services']),
      ];
      const needsRestart = (Object.keys(first) as (keyof Config)[])
        .filter((key) => !RELOADED.includes(key) && !ABOUT_THE_FILE.includes(key))
        .filter((key) => !same(next[key], first[key]));
      const data = { via, changed, needsRestart, policySha256: read.sha256, policySha256Before: policy.sha256 };
      // Nothing is in force that the audit does not know.
      await record({ type: 'config.reloaded', actor, data });
      policy = read;
      services = next.services;
      const loadedAt = new Date().toISOString();
      state = { loadedAt, policySha256: policy.sha256, needsRestart, failed: null };
      succeeded();
      log.info({ actor, via, changed, needsRestart }, 'configuration reloaded');
      return { changed, needsRestart };
    } catch (error) {
      state = { ...state, failed: { at: new Date().toISOString(), error: messageOf(error) } };
      metrics.reloadSuccessful.set(0);
      log.error({ error: messageOf(error), actor, via }, 'configuration not reloaded; what was in force stays');
      const problems = error instanceof NightshiftError ? error.problems.length : 0;
      const data = { via, problems, error: messageOf(error) };
      await record({ type: 'config.reload_failed', actor, data }).catch((cause: unknown) => {
        log.error({ error: messageOf(cause) }, 'the failed reload could not be recorded');
      });
      throw error;
    }
  }

  return {
    config: Object.freeze({ ...first, services: live }),
    policy: () => policy,
    state: () => state,
    judgingBy: (others) => ({
      ...others,
      get policy() {
        return policy;
      },
    }),
    reload(by) {
      const mine = before.then(() => reload(by));
      before = mine.catch(() => {});
      return mine;
    },
  };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
