/** What every program that records scenarios shares: looks through the real toolsets, names of this machine taken out, one folder written whole. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { messageOf } from '../../src/errors.ts';
import type { scenarioSchema } from '../../src/evaluation/scenario.ts';
import type { worldSchema } from '../../src/evaluation/world.ts';
import { TOOLSETS } from '../../src/mcp-tools/index.ts';
import type { Toolset } from '../../src/mcp-tools/tool.ts';
import { redactValue } from '../../src/telemetry/index.ts';

type WorldInput = z.input<typeof worldSchema>;
type PhaseInput = WorldInput['phases'][number];
type ScenarioInput = Omit<z.input<typeof scenarioSchema>, 'readme'>;

/** A call as a scenario writes it: instance, tool, arguments, and which of them do not matter. */
export type Asked = readonly [
  instance: string,
  tool: string,
  args?: Record<string, unknown>,
  ignoring?: readonly string[],
];

export interface RecorderOptions {
  /** Where the real system is, by instance: a toolset and its settings. */
  readonly real: Readonly<
    Record<string, { readonly uses: string; readonly settings: object; readonly toolset?: Toolset }>
  >;
  /** What the scenario's own configuration says of these instances, in neutral names. */
  readonly shown: WorldInput['instances'];
  /** Texts of this machine and what stands for each in the scenario; the longer ones are replaced first. */
  readonly names?: Readonly<Record<string, string>>;
}

/** Records one scenario, phase by phase. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #phases: PhaseInput[] = [];
  readonly #changes: NonNullable<WorldInput['changes']> = [];

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Makes looks and inspections now, as one phase. An instance that changes things is inspected where its tool can be. */
  async phase(
    name: string,
    looks: readonly Asked[],
    more: { over?: boolean; inspect?: readonly Asked[] } = {},
  ): Promise<void> {
    const phase: PhaseInput = { name, over: more.over ?? false, looks: [], inspections: [] };
    for (const [instance, tool, args = {}, ignoring = []] of looks) {
      const answer = await this.#ask(instance, tool, args, 'run');
      phase.looks?.push({
        instance,
        tool,
        arguments: args,
        ...(ignoring.length > 0 ? { ignoring: [...ignoring] } : {}),
        ...answer,
      });
    }
    for (const [instance, tool, args = {}] of more.inspect ?? []) {
      const answer = await this.#ask(instance, tool, args, 'inspect');
      phase.inspections?.push({ instance, tool, arguments: args, ...answer });
    }
    this.#phases.push(phase);
  }

  /** Makes a change to the real system by the real tool, and notes which phase it leads to. @throws Error where it fails and should not. */
  async change([instance, tool, args = {}]: Asked, to: number | null, more: { mayFail?: boolean } = {}): Promise<void> {
    const answer = await this.#ask(instance, tool, args, 'run');
    if ('error' in answer && !more.mayFail) throw new Error(`${tool} failed: ${answer.error}`);
    this.#changes.push({ instance, tool, arguments: args, to, ...answer });
  }

  /** Notes what a change would lead to without making it. */
  changeUnmade(change: NonNullable<WorldInput['changes']>[number]): void {
    this.#changes.push(change);
  }

  async #ask(instance: string, name: string, args: Record<string, unknown>, how: 'run' | 'inspect') {
    const real = this.#options.real[instance];
    const toolset = real?.toolset ?? TOOLSETS[real?.uses ?? ''];
    const tool = toolset?.tools.find((one) => one.name === name);
    if (!real || !toolset || !tool) throw new Error(`${instance} has no ${name}`);
    const context = {
      settings: (TOOLSETS[real.uses] ?? toolset).settings.parse(real.settings),
      signal: AbortSignal.timeout(60_000),
    };
    const input = tool.input.parse(this.#rename(args, true));
    try {
      const result = how === 'run' ? await tool.run(input, context) : await tool.inspect?.(input, context);
      return { result: this.#rename(result ?? {}) as Record<string, unknown> };
    } catch (error) {
      return { error: this.#rename(messageOf(error)) as string };
    }
  }

  /** Takes the names of this machine out of a value, or puts them back in. */
  #rename<T>(value: T, back = false): T {
    const pairs = Object.entries({ [hostname()]: 'host-1', ...this.#options.names }).map(([real, shown]) =>
      back ? [shown, real] : [real, shown],
    );
    // What stands in quotes or not is replaced alike; a longer name may hold a shorter one.
    const text = pairs
      .sort(([a = ''], [b = '']) => b.length - a.length)
      .reduce(
        (all, [from = '', to = '']) => (from === '' || from === to ? all : all.replaceAll(from, to)),
        JSON.stringify(value),
      );
    return JSON.parse(text) as T;
  }

  /** Writes the folder of the scenario. */
  write(
    name: string,
    recorded: { system: string; fault: string; by?: 'machine' | 'hand' },
    file: ScenarioInput,
    runbooks: Record<string, string> = {},
  ): void {
    const folder = join(SUITE, name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { by = 'machine', system, fault } = recorded;
    const world: WorldInput = redactValue({
      v: 1,
      recorded: { by, system, fault, at: new Date().toISOString().slice(0, 10) },
      instances: this.#options.shown,
      phases: this.#phases,
      changes: this.#changes,
    }) as WorldInput;
    const how = by === 'machine' ? 'Recorded from' : 'Written by hand, after what a double of the API answers:';
    const readme = `${how} ${system}. The fault: ${fault}`;
    writeFileSync(
      join(folder, 'scenario.yaml'),
      stringify({ ...file, readme }, { lineWidth: 120, aliasDuplicateObjects: false }),
    );
    writeFileSync(join(folder, 'world.json'), `${JSON.stringify(world, null, 1)}\n`);
    for (const [runbook, text] of Object.entries(runbooks)) {
      mkdirSync(join(folder, 'runbooks'), { recursive: true });
      writeFileSync(join(folder, 'runbooks', runbook), text);
    }
    process.stdout.write(`recorded ${name}\n`);
  }
}

const SUITE = process.env.NIGHTSHIFT_SCENARIOS ?? join(import.meta.dirname, '..');
