import { z } from 'zod';

const seconds = (max: number) => z.number().int().min(1).max(max);
const labelNames = z.array(z.string().min(1));

/** Which alerts are one incident, and which incidents have one cause. */
export const correlationSchema = z
  .strictObject({
    by: labelNames
      .min(1)
      .default(['alertname', 'cluster', 'env', 'namespace', 'service', 'job'])
      .describe('Alerts that agree on these labels are one incident.'),
    reopenWithinSeconds: seconds(86_400)
      .default(1800)
      .describe('What fires again within this time after its incident was resolved opens that one again.'),
    within: labelNames
      .default(['cluster', 'env'])
      .describe('Only incidents that agree on these labels are ever folded under one another.'),
    windowSeconds: seconds(86_400)
      .default(600)
      .describe('How far apart incidents of services that depend on one another may begin to be folded.'),
    storm: z
      .strictObject({
        incidents: z.number().int().min(2).max(10_000).default(20).describe('This many new incidents are a storm,'),
        withinSeconds: seconds(3600).default(60).describe('if they come within this time.'),
      })
      .prefault({})
      .describe('When many incidents are worked on as one.'),
    unfoldAfterSeconds: seconds(3600)
      .default(60)
      .describe('What still fires this long after the incident above it is over is worked on by itself.'),
    flapping: z
      .strictObject({
        times: z.number().int().min(2).max(1000).default(3).describe('What fires more often than this'),
        withinSeconds: seconds(86_400).default(3600).describe('within this time is not remedied again,'),
        quietSeconds: seconds(86_400).default(600).describe('until it has been quiet for this long.'),
      })
      .prefault({})
      .describe('What comes and goes.'),
  })
  .prefault({})
  .describe('Which alerts are one incident, and which incidents have one cause; docs/incidents.md.');
export type CorrelationConfig = z.infer<typeof correlationSchema>;
