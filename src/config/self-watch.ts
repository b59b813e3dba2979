import { z } from 'zod';

const ratio = z.number().min(0).max(1);

/** The `selfWatch` section: whether Nightshift compares its own service levels with those of the last seven days, and from where on a deviation matters. */
export const selfWatchSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether it is measured, and an alert raised where it deviates.'),
    floors: z
      .strictObject({
        latencySeconds: z.number().min(0).max(600).default(10).describe('p95 of the calls of one role of the models.'),
        errorRatio: ratio.default(0.1).describe('Share of the calls of one role that failed.'),
        queueDepth: z.number().int().min(0).max(10_000).default(10).describe('Incidents that wait for a worker.'),
        escalationRatio: ratio.default(0.3).describe('Share of the incidents that ended with a person.'),
      })
      .prefault({})
      .describe('What is not above these is no deviation, however unusual it is.'),
  })
  .prefault({})
  .describe(
    'Whether Nightshift compares its own service levels with those of the last seven days; docs/monitoring.md.',
  );
export type SelfWatchConfig = z.infer<typeof selfWatchSchema>;
