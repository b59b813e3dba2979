/** The tests that mutants of the gate's pure code are held against: fast, without a database. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: [
      'test/unit/policy/*.test.ts',
      'test/unit/approval/*.test.ts',
      'test/unit/mcp-tools/{clearance,admit}.test.ts',
      'test/unit/slack/incoming-*.test.ts',
      'test/unit/ingest/authenticate*.test.ts',
    ],
    // It asks what the others ask, a hundred thousand times over.
    exclude: ['test/unit/policy/judge-agrees-with-the-oracle.test.ts'],
  },
});
