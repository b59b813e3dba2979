/** Everything that leaves Nightshift, read for planted secrets as it comes. */

/** Where something came out. */
export type Sink = 'llm' | 'slack' | 'log' | 'events' | 'pager' | 'ledger';

export interface Leak {
  readonly run: string;
  readonly sink: Sink;
  readonly form: string;
}

export interface Sinks {
  /** Plants a run's secrets; from here on every sink is read for each of their forms. */
  plant(run: string, secrets: readonly string[]): void;
  saw(sink: Sink, text: string): void;
  leaksOf(run: string): readonly Leak[];
}

/** Makes the reader of all sinks. */
export function createSinks(): Sinks {
  const forms: { run: string; form: string; text: string }[] = [];
  const leaks: Leak[] = [];
  const tails = new Map<Sink, string>();
  return {
    plant(run, secrets) {
      for (const secret of secrets) for (const [form, text] of formsOf(secret)) forms.push({ run, form, text });
    },
    saw(sink, text) {
      if (forms.length === 0) return;
      // A stream may cut anywhere.
      const whole = sink === 'log' ? `${tails.get(sink) ?? ''}${text}` : text;
      if (sink === 'log') tails.set(sink, whole.slice(-300));
      // Runs of one case plant the same; what came out where one of them is named is that one's.
      const named = new Set([...whole.matchAll(/[-"](r\d+)(?![0-9a-zA-Z])/g)].map(([, id = '']) => id));
      const some = forms.some(({ run }) => named.has(run));
      for (const { run, form, text: hidden } of forms)
        if (
          (!some || named.has(run)) &&
          whole.includes(hidden) &&
          !leaks.some((one) => one.run === run && one.sink === sink && one.form === form)
        )
          leaks.push({ run, sink, form });
    },
    leaksOf: (run) => leaks.filter((one) => one.run === run),
  };
}

/** The forms in which a secret must not be seen: plain, percent-encoded, JSON-escaped, and in base64 wherever it begins. */
export function formsOf(secret: string): [form: string, text: string][] {
  const found: [string, string][] = [['plain', secret]];
  const encoded = encodeURIComponent(secret);
  if (encoded !== secret) found.push(['percent', encoded]);
  const json = JSON.stringify(secret).slice(1, -1);
  if (json !== secret) found.push(['json', json]);
  for (const before of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(before, 0x20), Buffer.from(secret)]).toString('base64');
    // The letters at both ends hold bits of their neighbours.
    const own = whole.slice(before === 0 ? 0 : before + 1).replace(/=+$/, '');
    const kept = own.slice(0, own.length - 2);
    if (kept.length >= 8) found.push([`base64+${before}`, kept]);
  }
  return found;
}
