import { Router } from 'express';
import { NightshiftError } from '../errors.ts';
import { reloadConfig } from './operations/installation.ts';
import { clientOf } from './request.ts';
import { serve } from './serve.ts';

/** What a reload changed, and what has changed in the files and waits for a restart: names of sections. */
export interface Reloaded {
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
}

/** How the configuration in force came about. */
export interface ReloadState {
  /** When it was read, as ISO 8601. */
  readonly loadedAt: string;
  readonly policySha256: string;
  readonly needsRestart: readonly string[];
  /** The last reload, where it failed: what was in force before is still. */
  readonly failed: { readonly at: string; readonly error: string } | null;
}

/** Reads again what can be read again without a restart. */
export interface ConfigReloader {
  /** @throws NightshiftError `invalid_config` or `invalid_policy` with every mistake; what was in force stays. */
  reload(by: { readonly actor: string; readonly via: string }): Promise<Reloaded>;
  state(): ReloadState;
}

/** Makes the route by which an administrator has policies and services read again. */
export function createConfigRoutes({ reload }: ConfigReloader): Router {
  const router = Router();

  serve(router, reloadConfig, async ({ by, request }) => {
    try {
      return await reload({ actor: by.name, via: clientOf(request) });
    } catch (error) {
      if (!(error instanceof NightshiftError)) throw error;
      const { message, problems } = error;
      throw new NightshiftError('conflict', `nothing was reloaded, what was in force stays: ${message}`, { problems });
    }
  });

  return router;
}
