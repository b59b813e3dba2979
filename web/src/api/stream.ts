import type { Change } from './shapes.ts';

/** What the tabs of a browser hear of the stream: it begins, which tells whether anything was missed; something changed; or it is lost, for the browser or by refusal. */
export type Heard =
  | { readonly kind: 'hello'; readonly isWhole: boolean }
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'lost'; readonly isRefused: boolean };

const NAME = 'nightshift stream';
/** How long after a refusal it is asked for again: at first, and at most. */
const [AGAIN_MS, AGAIN_MS_MAX] = [1000, 30_000];

/**
 * Listens to the stream until the function that it gives is called. The tabs of a browser share one stream, since browsers open only six
 * connections to a server: whoever holds the lock has it and tells the others. Where there are no locks, as over plain http from another
 * machine, each tab has its own.
 */
export function openStream(hear: (heard: Heard) => void): () => void {
  const ending = new AbortController();
  if (!navigator.locks) {
    void hold(hear, ending.signal);
    return () => ending.abort();
  }
  const channel = new BroadcastChannel(NAME);
  let last: Heard | undefined;
  const tell = (heard: Heard) => {
    if (heard.kind !== 'change') last = heard;
    hear(heard);
    channel.postMessage(heard);
  };
  let isHolder = false;
  channel.onmessage = ({ data }: MessageEvent<Heard | 'who is there?'>) => {
    if (data !== 'who is there?') hear(data);
    else if (isHolder && last) channel.postMessage(last);
  };
  channel.postMessage('who is there?');
  navigator.locks
    .request(NAME, { signal: ending.signal }, () => {
      isHolder = true;
      return hold(tell, ending.signal);
    })
    .catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
  return () => {
    ending.abort();
    channel.close();
  };
}

/** Has the stream open until the signal. The browser connects again where the connection ends; a refusal is final for it, and not for this. */
function hold(tell: (heard: Heard) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let source: EventSource;
    let refusals = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      source = new EventSource('/api/v1/stream');
      source.addEventListener('hello', ({ data }: MessageEvent<string>) => {
        refusals = 0;
        tell({ kind: 'hello', isWhole: (JSON.parse(data) as { resumed: boolean }).resumed });
      });
      source.addEventListener('change', ({ data }: MessageEvent<string>) =>
        tell({ kind: 'change', change: JSON.parse(data) as Change }),
      );
      source.addEventListener('error', () => {
        const isRefused = source.readyState === EventSource.CLOSED;
        tell({ kind: 'lost', isRefused });
        if (!isRefused) return;
        timer = setTimeout(open, Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** refusals));
        refusals += 1;
      });
    };
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      source.close();
      resolve();
    });
    open();
  });
}
