import { z } from 'zod';
import { DENY_FORM, denyFormSchema } from './incoming-modals.ts';

/** Who did something in Slack, by ids only: names there are whatever their owner wants. */
export interface SlackActor {
  readonly team: string;
  readonly enterprise: string | null;
  readonly user: string;
}

/** Where the person who did it can be answered. */
export interface SlackPlace {
  readonly channel: string | null;
  readonly thread: string | null;
  readonly responseUrl: string | null;
  /** Good for opening one modal, for three seconds. */
  readonly trigger: string | null;
}

export type SlackWord =
  | { readonly kind: 'button'; readonly actionId: string; readonly value: string }
  | { readonly kind: 'deny_form'; readonly metadata: string; readonly reason: string }
  | { readonly kind: 'command'; readonly text: string }
  | { readonly kind: 'mention'; readonly text: string; readonly eventId: string };

/** What came from Slack, cut down to what may have an effect. */
export interface FromSlack {
  readonly appId: string | null;
  readonly actor: SlackActor;
  readonly place: SlackPlace;
  readonly word: SlackWord;
  /** Why it is refused whoever sent it, in words; null where it may be heard. */
  readonly refused: string | null;
}

const COMMAND = '/nightshift';

const mark = z.unknown().optional();
const id = z.string().min(1).max(100);
const withId = z.object({ id });
const teamOf = { team: withId.nullish(), enterprise: withId.nullish(), api_app_id: id.optional() };
const userSchema = z.object({ id, team_id: id.optional() });
/** Only payloads of workflows and of other apps' functions carry these. */
const workflow = { function_data: mark, bot_access_token: mark, workflow: mark };

const clickSchema = z.object({
  type: z.literal('block_actions'),
  ...teamOf,
  ...workflow,
  user: userSchema,
  trigger_id: z.string().optional(),
  response_url: z.string().optional(),
  channel: withId.nullish(),
  container: z.object({ message_ts: z.string().optional(), thread_ts: z.string().optional() }).nullish(),
  message: z.object({ thread_ts: z.string().optional() }).nullish(),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().optional() })),
});

const submissionSchema = z.object({
  type: z.literal('view_submission'),
  ...teamOf,
  ...workflow,
  user: userSchema,
  view: z.object({ callback_id: z.string(), private_metadata: z.string(), state: mark }),
});

const commandSchema = z.object({
  command: z.literal(COMMAND),
  text: z.string().default(''),
  team_id: id,
  enterprise_id: id.optional(),
  user_id: id,
  channel_id: id.optional(),
  response_url: z.string().optional(),
  trigger_id: z.string().optional(),
  api_app_id: id.optional(),
});

const mentionSchema = z.object({
  type: z.literal('event_callback'),
  team_id: id,
  enterprise_id: id.nullish(),
  api_app_id: id.optional(),
  event_id: id,
  event: z.object({
    type: z.literal('app_mention'),
    user: id,
    user_team: id.optional(),
    text: z.string(),
    ts: id,
    thread_ts: z.string().optional(),
    channel: id,
    subtype: z.string().optional(),
    bot_id: mark,
    app_id: mark,
    bot_profile: mark,
    workflow_id: mark,
  }),
});

/** Reads what came, already verified; null for everything that is none of Nightshift's business, such as reactions and messages. */
export function readPayload(body: unknown): FromSlack | null {
  const click = clickSchema.safeParse(body);
  if (click.success) return fromClick(click.data);
  const submission = submissionSchema.safeParse(body);
  if (submission.success) return fromSubmission(submission.data);
  const command = commandSchema.safeParse(body);
  if (command.success) return fromCommand(command.data);
  const mention = mentionSchema.safeParse(body);
  return mention.success ? fromMention(mention.data) : null;
}

const NOWHERE: SlackPlace = { channel: null, thread: null, responseUrl: null, trigger: null };
const BY_WORKFLOW = 'workflows and other apps cannot decide anything here';
const FROM_OUTSIDE = 'people of another workspace cannot decide anything here';

type Interaction = Pick<z.infer<typeof clickSchema>, 'team' | 'enterprise' | 'user' | keyof typeof workflow>;

/** Where it happened and where the person belongs must be one workspace, or two of one organisation. */
function actorOf({ team, enterprise, user, ...rest }: Interaction): { actor: SlackActor; refused: string | null } {
  const at = team?.id ?? user.team_id ?? '';
  const isGuestHere = user.team_id !== undefined && user.team_id !== at && user.team_id !== enterprise?.id;
  const isWorkflow = [rest.function_data, rest.bot_access_token, rest.workflow].some((mark) => mark != null);
  const actor = { team: at, enterprise: enterprise?.id ?? null, user: user.id };
  return { actor, refused: isWorkflow ? BY_WORKFLOW : isGuestHere ? FROM_OUTSIDE : null };
}

function fromClick(click: z.infer<typeof clickSchema>): FromSlack {
  const { actor, refused } = actorOf(click);
  const [action, ...others] = click.actions;
  // Which of two was meant is not ours to guess, and the wrong guess could be a yes.
  const several = !action || others.length > 0 ? 'exactly one button at a time can be pressed; nothing was done' : null;
  return {
    appId: click.api_app_id ?? null,
    actor,
    place: {
      channel: click.channel?.id ?? null,
      thread: click.container?.thread_ts ?? click.message?.thread_ts ?? click.container?.message_ts ?? null,
      responseUrl: click.response_url ?? null,
      trigger: click.trigger_id ?? null,
    },
    word: { kind: 'button', actionId: action?.action_id ?? '', value: action?.value ?? '' },
    refused: refused ?? several,
  };
}

function fromSubmission(submission: z.infer<typeof submissionSchema>): FromSlack | null {
  if (submission.view.callback_id !== DENY_FORM) return null;
  const form = denyFormSchema.safeParse(submission.view.state);
  const { actor, refused } = actorOf(submission);
  const reason = form.success ? (form.data.values.reason.reason.value ?? '').trim() : '';
  return {
    appId: submission.api_app_id ?? null,
    actor,
    place: NOWHERE,
    word: { kind: 'deny_form', metadata: submission.view.private_metadata, reason },
    refused,
  };
}

function fromCommand(command: z.infer<typeof commandSchema>): FromSlack {
  return {
    appId: command.api_app_id ?? null,
    actor: { team: command.team_id, enterprise: command.enterprise_id ?? null, user: command.user_id },
    place: {
      channel: command.channel_id ?? null,
      thread: null,
      responseUrl: command.response_url ?? null,
      trigger: command.trigger_id ?? null,
    },
    word: { kind: 'command', text: unescapeText(command.text).trim() },
    refused: null,
  };
}

function fromMention({
  team_id,
  enterprise_id,
  api_app_id,
  event,
  event_id,
}: z.infer<typeof mentionSchema>): FromSlack {
  const byMachine =
    event.subtype !== undefined ||
    [event.bot_id, event.app_id, event.bot_profile, event.workflow_id].some((mark) => mark != null);
  const isGuestHere = event.user_team !== undefined && event.user_team !== team_id && event.user_team !== enterprise_id;
  return {
    appId: api_app_id ?? null,
    actor: { team: team_id, enterprise: enterprise_id ?? null, user: event.user },
    place: { ...NOWHERE, channel: event.channel, thread: event.thread_ts ?? event.ts },
    word: { kind: 'mention', text: withoutMention(unescapeText(event.text)), eventId: event_id },
    refused: byMachine ? BY_WORKFLOW : isGuestHere ? FROM_OUTSIDE : null,
  };
}

/** Slack writes `&`, `<` and `>` of a person's text as entities, and nothing else. */
function unescapeText(text: string): string {
  return text.replace(/&(lt|gt|amp);/g, (_, name: string) => (name === 'lt' ? '<' : name === 'gt' ? '>' : '&'));
}

function withoutMention(text: string): string {
  return text.replace(/^\s*<@[A-Z0-9]+(?:\|[^>]*)?>[\s,:]*/, '').trim();
}
