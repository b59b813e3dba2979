import { z } from 'zod';
import { parseMatcherList } from '../alert/index.ts';
import { messageOf } from '../errors.ts';

/** The name of the row in `heartbeat` that says when an alert of `deadMan.match` was last heard of. */
export const WATCHDOG = 'watchdog';

const address = z
  .url({ protocol: /^https?$/, message: 'write a URL that starts with https:// or http://' })
  .refine((text) => !URL.canParse(text) || new URL(text).hash === '', 'leave out what follows #');

const mailbox = z.email('write a mail address, for example oncall@example.com');

const smtpSchema = z
  .strictObject({
    host: z.string().min(1).describe('Name or address of the mail server.'),
    port: z.number().int().min(1).max(65535).default(587).describe('Its port.'),
    secure: z
      .boolean()
      .default(false)
      .describe('TLS from the first byte, as on port 465; else STARTTLS where it is offered.'),
    user: z.string().min(1).optional().describe('User name, together with a password.'),
    password: z.string().min(1).optional().describe('Is sent only through TLS.'),
    from: mailbox.describe('The address that mails come from.'),
    to: z.array(mailbox).min(1).max(50).describe('The addresses that they go to.'),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    path: ['user'],
    message: 'write user and password, or neither',
  });
export type SmtpConfig = z.infer<typeof smtpSchema>;

const pagerDutyEventsSchema = z.strictObject({
  routingKey: z
    .string()
    .regex(/^[0-9a-zA-Z]{32}$/, 'write the integration key of an Events API v2 integration: 32 letters and digits')
    .describe('The integration key of an Events API v2 integration.'),
  url: address.default('https://events.pagerduty.com/v2/enqueue').describe('Where the Events API is.'),
});
export type PagerDutyEventsConfig = z.infer<typeof pagerDutyEventsSchema>;

/** The `escalation` section: the ways on which Nightshift reaches people when one is needed; every message goes on all of them. */
export const escalationSchema = z
  .strictObject({
    pagerduty: pagerDutyEventsSchema
      .optional()
      .describe('Pages through the Events API v2 where the alert did not come from PagerDuty.'),
    webhook: z.url().optional().describe('Receives a JSON POST whenever a person is needed.'),
    smtp: smtpSchema.optional().describe('Mails whenever a person is needed.'),
  })
  .prefault({})
  .describe('How people are reached when one is needed; every message goes every way. See docs/escalation.md.');
export type EscalationConfig = z.infer<typeof escalationSchema>;

/** The `deadMan` section: the alert that must keep coming, and who is told that it does. */
export const deadManSchema = z
  .strictObject({
    url: address.describe(
      'Is asked every `everySeconds` while the alert comes; whoever answers there pages when it is not.',
    ),
    method: z.enum(['GET', 'POST']).default('POST').describe('How it is asked.'),
    match: z
      .array(z.string())
      .min(1)
      .default(['alertname="Watchdog"'])
      .superRefine((texts, context) => {
        try {
          parseMatcherList(texts);
        } catch (error) {
          context.addIssue({ code: 'custom', message: messageOf(error), input: texts });
        }
      })
      .describe('Which alert must keep coming; it opens no incident.'),
    source: z.string().min(1).optional().describe('The source that it must come from; any where it is left out.'),
    everySeconds: z.number().int().min(1).max(86_400).default(60).describe('How often it is asked.'),
    withinSeconds: z
      .number()
      .int()
      .min(1)
      .max(86_400)
      .default(900)
      .describe('After how long without the alert it counts as gone; more than twice its repeat interval.'),
  })
  .optional()
  .describe('The alert that must keep coming, and who is told that it does; docs/escalation.md.');
export type DeadManConfig = NonNullable<z.infer<typeof deadManSchema>>;
