import { z } from 'zod';

const FOREVER = 'forever';

/** How long one kind of row is kept: whole days, never fewer than `min`. */
const days = (min: number, byDefault: number) => {
  const how = `write a whole number of days from ${min} to 36500, or ${FOREVER}`;
  return z.union([z.int(how).min(min, how).max(36_500, how), z.literal(FOREVER)], how).default(byDefault);
};

/** The `retention` section: after how many days what is over is deleted. What is open is never touched. */
export const retentionSchema = z
  .strictObject({
    incidents: days(30, 400).describe('Incidents with all that belongs to them, after they closed.'),
    learned: days(120, 1100).describe(
      'What later incidents learn from: past incidents, what remedies achieved, and incidents in which something was sent.',
    ),
    audit: days(30, 400).describe('Events and their seals; an incident stays at least as long as its events.'),
    details: days(7, 90).describe('Full texts of evidence, and results of finished calls, after the incident closed.'),
    modelCalls: days(2, 90).describe('Questions to models and their answers.'),
    messages: days(7, 90).describe('Messages to people that were delivered, and maintenances that ended.'),
    deliveries: days(3, 30).describe('What senders sent, by which repeats are recognised for 72 hours.'),
  })
  .superRefine(({ incidents, learned }, context) => {
    if (learned !== FOREVER && (incidents === FOREVER || incidents > learned))
      context.addIssue({
        code: 'custom',
        path: ['learned'],
        message: `must be at least as long as retention.incidents (${incidents})`,
        input: learned,
      });
  })
  .prefault({})
  .describe(
    'After how many days what is over is deleted, or `forever`; what is open is never touched. See docs/retention.md.',
  );
export type RetentionConfig = z.infer<typeof retentionSchema>;
