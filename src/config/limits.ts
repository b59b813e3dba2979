import { z } from 'zod';

const seconds = (max: number) => z.number().int().min(1).max(max);

/** The `limits` section: how often something is done, how much at once, and how much may wait. */
export const limitsSchema = z
  .strictObject({
    attempts: z
      .number()
      .int()
      .min(1)
      .max(3)
      .default(3)
      .describe('How many plans are tried for one incident before a person is needed.'),
    perTargetTenMinutes: z
      .number()
      .int()
      .min(1)
      .max(100)
      .default(1)
      .describe('So many changes of one target in ten minutes run unasked.'),
    perTargetDay: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(3)
      .describe('So many changes of one target in a day run unasked.'),
    perNamespaceHour: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .describe('So many changes in one namespace in an hour run unasked.'),
    replicaShare: z
      .number()
      .gt(0)
      .max(1)
      .default(0.25)
      .describe('Up to this share of a group may be changed within ten minutes unasked.'),
    alertAgeSeconds: seconds(86_400).default(900).describe('What was last reported longer ago never acts unasked.'),
    ineffectiveSeconds: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .default(1800)
      .describe(
        'How long a remedy that did not help is left alone on its target, twice as long each time; 0 for not at all.',
      ),
    gatherSeconds: seconds(120).default(10).describe('How long each look for evidence may take.'),
    concurrency: z
      .number()
      .int()
      .min(1)
      .max(256)
      .default(64)
      .describe('How many incidents are worked on at once; most of that time they wait for models and tools.'),
    queue: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(1000)
      .describe('How many incidents may wait to be begun; beyond it the least severe go to people undiagnosed.'),
    fairBy: z
      .array(z.string().min(1))
      .min(1)
      .max(10)
      .default(['team', 'service', 'namespace', 'job'])
      .describe(
        'The first of these labels that an incident has says whose it is; who has many lets the others through in between.',
      ),
  })
  .prefault({})
  .describe('How often something is done, how much at once, and how much may wait.');
export type LimitsConfig = z.infer<typeof limitsSchema>;
