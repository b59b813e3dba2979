/** One mail server for all runs; each has a mailbox of its own. */
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';

export interface MailServer {
  readonly port: number;
  /** Everything that came for a mailbox. */
  of(mailbox: string): readonly string[];
  stop(): Promise<void>;
}

/** Starts it on every address of this machine, since some runs are in networks of their own. */
export async function startMail(): Promise<MailServer> {
  const mails = new Map<string, string[]>();
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData(stream, { envelope }, callback) {
      text(stream).then(
        (raw) => {
          for (const { address } of envelope.rcptTo) mails.set(address, [...(mails.get(address) ?? []), raw]);
          callback();
        },
        // Its sender was killed halfway.
        (error: Error) => callback(error),
      );
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return {
    port: (server.server.address() as { port: number }).port,
    of: (mailbox) => mails.get(mailbox) ?? [],
    stop: () => new Promise((resolve) => void server.close(resolve)),
  };
}
