import { redactValue } from '../telemetry/index.ts';
import type { Channel } from './channel.ts';
import { SendFailed, sendRequest } from './request.ts';

/** Makes the channel that posts each message as JSON; what answers anything but 2xx is asked again and again, since it is a last resort. */
export function createWebhookChannel(url: string): Channel {
  return {
    name: 'webhook',
    inOrder: false,
    async deliver({ id, incident, kind, text, at }) {
      try {
        await sendRequest(url, { method: 'POST', body: redactValue({ id, incident, kind, text, at }) });
      } catch (error) {
        if (!(error instanceof SendFailed)) throw error;
        throw new SendFailed(error.message, { perhapsDone: error.perhapsDone, waitSeconds: error.waitSeconds });
      }
      return 'sent';
    },
  };
}
