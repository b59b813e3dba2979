/** The stories of the kubernetes toolset on a real cluster, which is no part of `npm test`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'cluster',
    pool: 'forks',
    retry: 0,
    include: ['test/cluster/*.test.ts'],
    // A cluster on a busy machine takes its time.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
