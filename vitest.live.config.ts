import { defineConfig } from 'vitest/config';

/** Asks real providers, where ANTHROPIC_API_KEY or OPENAI_API_KEY is set: npm run live. */
export default defineConfig({
  test: { include: ['test/live/**/*.live.ts'], fileParallelism: false, hookTimeout: 60_000 },
});
