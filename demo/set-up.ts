import { randomBytes } from 'node:crypto';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Checkout, createCheckout } from './checkout.ts';
import type { Ending } from './ending.ts';
import { startMonitor } from './monitor.ts';
import { type Nightshift, type NightshiftOptions, startNightshift } from './nightshift.ts';
import type { Options } from './options.ts';
import { createParts } from './parts.ts';
import { freePorts } from './ports.ts';
import { findPrometheus, startAlertmanager, startPrometheus, watching } from './prometheus.ts';
import { clearStage, commandPrefix } from './stage.ts';
import { startSupervisor } from './supervisor.ts';
import type { Terminal } from './terminal.ts';
import type { Timeline } from './timeline.ts';

const ORDERS = ['A-1001', 'A-1002', 'A-1003'];

/** The demo once it is set up: everything that takes part. */
export interface Show {
  readonly options: Options;
  readonly ending: Ending;
  readonly terminal: Terminal;
  readonly checkout: Checkout;
  readonly nightshift: Nightshift;
  readonly timeline: Timeline;
  /** `provider/model` of the models that Nightshift asks; empty in runbook mode. */
  readonly models: readonly string[];
  /** Who watches checkout, in words. */
  readonly watcher: string;
  /** How another terminal addresses this Nightshift. */
  readonly prefix: string;
}

interface SetUp extends Pick<Show, 'options' | 'ending' | 'terminal'> {
  /** Takes what has to be undone when the demo ends, in whatever way that is. */
  readonly atEnd: (undo: () => Promise<void> | void) => void;
}

/** Starts all parts on free ports of 127.0.0.1, and waits until checkout does its work and is watched. */
export async function setUp({ options, ending, terminal, atEnd }: SetUp): Promise<Show> {
  const { signal, fail } = ending;
  const cwd = process.cwd();
  const directory = clearStage(cwd);
  const inHere = (path: string) => relative(cwd, path);
  const parts = createParts(fail);
  atEnd(parts.stop);
  const ports = await freePorts('checkout', 'supervisor', 'prometheus', 'alertmanager');
  const programs = options.prometheus ? findPrometheus() : null;

  const checkout = createCheckout(directory, ports.checkout, parts);
  const supervisor = {
    url: `http://127.0.0.1:${ports.supervisor}`,
    username: 'demo',
    password: randomBytes(12).toString('hex'),
  };
  atEnd(await startSupervisor(checkout.program, { ...supervisor, port: ports.supervisor }));
  await terminal.during('starting checkout', checkout.program.start(true));

  // Before anybody watches: on a very busy machine even good jobs may wait for a second.
  await terminal.during('placing three orders', placeOrders(checkout, signal));
  terminal.part('checkout', checkout.url, 'a web service; its worker does the jobs in a spool');
  terminal.part('', `has taken and done the orders ${checkout.ledger().done.join(', ')}`, '');
  terminal.part('supervisor', supervisor.url, 'runs checkout, and speaks as supervisord does');

  const prometheus = { directory, ports, parts };
  if (programs) await startPrometheus({ ...prometheus, programs, instance: checkout.instance });
  const prometheusUrl = programs ? `http://127.0.0.1:${ports.prometheus}` : null;
  let step = 'starting Nightshift';
  const started = start({
    directory,
    parts,
    supervisor,
    checkout,
    prometheusUrl,
    signal,
    onStep: (now) => (step = `Nightshift: ${now}`),
  });
  const { nightshift, createTimeline, seconds } = await terminal.during(() => step, started);
  const { models } = await nightshift.get<{ models: string[] }>('/status');
  terminal.part('Nightshift', nightshift.url, `with its own Postgres inside (up in ${seconds} s)`);
  terminal.part('', `has its console there; sign in with: cat ${inHere(join(directory, 'admin.token'))}`, '');
  terminal.part('', `configured by ${inHere(join(directory, 'nightshift.yaml'))}`, '');
  terminal.part('', `writes its log to ${inHere(nightshift.log)}`, '');

  if (programs && prometheusUrl) {
    await startAlertmanager({ ...prometheus, programs, webhook: nightshift.webhook });
    await terminal.during('waiting for the first scrape by Prometheus', watching(ports, signal));
    terminal.part('Prometheus', prometheusUrl, 'scrapes checkout every second');
    terminal.part('Alertmanager', `http://127.0.0.1:${ports.alertmanager}`, 'tells Nightshift what fires');
  } else {
    atEnd(startMonitor({ instance: checkout.instance, webhook: nightshift.webhook, fail }));
    terminal.part('monitor', 'part of this demo', 'looks every second, and sends alerts as Alertmanager does');
  }
  const timeline = createTimeline(nightshift, terminal, signal);
  const watcher = programs ? 'Prometheus and Alertmanager' : 'the demo’s monitor';
  return {
    options,
    ending,
    terminal,
    checkout,
    nightshift,
    timeline,
    models,
    watcher,
    prefix: commandPrefix(cwd, process.env),
  };
}

async function start(options: NightshiftOptions) {
  const since = performance.now();
  // Rendering the timeline needs half of Nightshift, which takes a second or two to load: time enough while the other half starts.
  const [nightshift, { createTimeline }] = await Promise.all([startNightshift(options), import('./timeline.ts')]);
  return { nightshift, createTimeline, seconds: ((performance.now() - since) / 1000).toFixed(1) };
}

async function placeOrders(checkout: Checkout, signal: AbortSignal): Promise<void> {
  while (!(await checkout.answers())) await sleep(50, undefined, { signal });
  for (const id of ORDERS) await checkout.order(id);
  while (checkout.ledger().done.length < ORDERS.length) await sleep(50, undefined, { signal });
}
