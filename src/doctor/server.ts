import { fetch } from 'undici';
import { type Check, type Finding, fail, ok, warn } from './finding.ts';

/** An HTTP date has whole seconds. */
const CLOCK_SECONDS = { warn: 3, fail: 30 };

/** Makes the checks of the running server: that it answers, is ready, and has the same time as this machine. */
export function serverChecks(url: string): Check[] {
  const fix = 'see whether Nightshift runs, and its log';
  return [{ name: 'server', fix, run: (signal) => server(url, signal) }];
}

async function server(url: string, signal: AbortSignal): Promise<Finding[]> {
  const asked = Date.now();
  const response = await fetch(`${url}/healthz`, { signal });
  await response.arrayBuffer();
  if (!response.ok) return [fail('server', `${url}/healthz answers ${response.status}`, 'look at its log')];
  const date = Date.parse(response.headers.get('date') ?? '');
  const ready = await fetch(`${url}/readyz`, { signal });
  await ready.arrayBuffer();
  const findings = [
    ready.ok
      ? ok('server', `runs at ${url} and is ready`)
      : fail(
          'server',
          `runs at ${url} and is not ready (${ready.status})`,
          'see below what is wrong with its database',
        ),
  ];
  if (Number.isNaN(date)) return findings;
  const off = Math.abs(date + 500 - asked) / 1000;
  const what = off < CLOCK_SECONDS.warn ? 'agrees with this machine' : `${off.toFixed(0)} s off from this machine’s`;
  const fix = 'run chronyd or systemd-timesyncd on both machines';
  const name = 'clock of the server';
  if (off >= CLOCK_SECONDS.fail) return [...findings, fail(name, what, fix)];
  return [...findings, off >= CLOCK_SECONDS.warn ? warn(name, what, fix) : ok(name, what)];
}
