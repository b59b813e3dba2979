import type { createTransport } from 'nodemailer';
import type { SmtpConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import { plain } from '../incident/index.ts';
import { type Logger, redact } from '../telemetry/index.ts';
import type { Channel } from './channel.ts';
import { SendFailed } from './request.ts';

const CONNECT_MS = 5000;
const TALK_MS = 10_000;
const SUBJECT_MAX = 120;

/**
 * Makes the channel that mails each message as plain text. A mail that is sent again has the same Message-ID, by which mailboxes know
 * it; it says that a program wrote it (RFC 3834), so that no absence notice answers.
 */
export function createSmtpChannel(
  config: SmtpConfig,
  { installation, log }: { installation: string; log: Logger },
): Channel {
  const { from, to } = config;
  let transport: ReturnType<typeof createTransport> | undefined;
  const domain = from.slice(from.lastIndexOf('@') + 1);
  return {
    name: 'smtp',
    inOrder: false,
    async deliver({ id, kind, incident, text, at }) {
      try {
        transport ??= await openTransport(config);
        const { rejected } = await transport.sendMail({
          from,
          to,
          subject: `[nightshift] ${kind} ${plain(text)}`.slice(0, SUBJECT_MAX),
          text: `${redact(text)}\n\n${incident}, ${at.toISOString()}\n`,
          date: at,
          messageId: `<nightshift.${installation}.${id}@${domain}>`,
          headers: { 'auto-submitted': 'auto-generated' },
        });
        if (rejected.length > 0)
          log.warn({ incident, rejected: rejected.map(String) }, 'some mail addresses were refused');
      } catch (error) {
        throw new SendFailed(messageOf(error).slice(0, 300));
      }
      return 'sent';
    },
  };
}

async function openTransport({ host, port, secure, user, password }: SmtpConfig) {
  // Loaded with the first mail: most never send one.
  const nodemailer = await import('nodemailer');
  return nodemailer.createTransport({
    host,
    port,
    secure,
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password }, requireTLS: !secure }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: TALK_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
