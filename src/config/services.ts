import { z } from 'zod';
import { type Labels, type Matcher, matchesLabels, parseMatcherList } from '../alert/index.ts';
import type { Problem } from '../errors.ts';
import { problemsOf } from './problems.ts';
import { matchSchema, type PersonConfig } from './schema.ts';
import { readYamlText } from './yaml-text.ts';

/** One service of the operator's own, as services.yaml describes it. */
export interface Service {
  readonly name: string;
  readonly match: readonly Matcher[];
  readonly team: string | null;
  readonly slackChannel: string | null;
  /** Who may approve what is asked about it; empty means everybody who may approve at all. */
  readonly approvers: readonly string[];
  readonly escalateTo: string | null;
  readonly dependsOn: readonly string[];
  readonly runsOn: readonly string[];
}

/** All services in the order of the file, and what stands between them. */
export interface Services {
  readonly all: readonly Service[];
  /** The first service in the order of the file whose matchers all hold for these labels, or null. */
  serviceOf(labels: Labels): Service | null;
  /** The shortest chain of dependencies from one service to another, both included; null when there is none. */
  pathBetween(from: string, to: string): readonly string[] | null;
}

export interface ServicesSource {
  readonly path: string;
  readonly text: string;
  /** The people of nightshift.yaml, among whom approvers must be; null where they could not be read. */
  readonly people: readonly Pick<PersonConfig, 'name' | 'role'>[] | null;
}

const name = z.string().regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/i, 'is no name of a service');
const names = z.array(z.string()).default([]);

const serviceSchema = z.strictObject({
  name,
  match: matchSchema.min(1).optional(),
  team: z.string().min(1).optional(),
  slack_channel: z
    .string()
    .regex(/^[CG][A-Z0-9]{2,20}$/, 'is no id of a channel')
    .optional(),
  approvers: z.array(z.string()).min(1).optional(),
  escalate_to: z.string().min(1).optional(),
  depends_on: names,
  runs_on: names,
});

const fileSchema = z.strictObject({ services: z.array(serviceSchema).default([]) });

/** As much of each service as the demands between services need, also where the rest of it has mistakes. */
const listed = z.array(z.unknown()).catch([]);
const outlineSchema = z
  .object({
    services: z
      .array(
        z
          .object({ name: z.string().nullable().catch(null), approvers: listed, depends_on: listed, runs_on: listed })
          .catch({ name: null, approvers: [], depends_on: [], runs_on: [] }),
      )
      .catch([]),
  })
  .catch({ services: [] });
type Outline = z.infer<typeof outlineSchema>['services'];

const FIXES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    services: 'write a list of services, each with a name',
    name: 'use letters, digits and . _ -, at most 63',
    match: `write matchers as Alertmanager does, for example 'service="checkout"'`,
    slack_channel: 'write its id, for example C061EG9SL',
    approvers: 'list names of people: in nightshift.yaml',
    depends_on: 'list names of services',
    runs_on: 'list names of services',
  }),
);

/** No services at all: what holds where there is no services.yaml. */
export const NO_SERVICES: Services = servicesOf([]);

/**
 * Reads services.yaml. Gives the services, or every mistake in it at once, each with its place: what has no place there, names that
 * stand twice or are of nothing, approvers who may not approve, and circles of dependencies.
 */
export function parseServices({ path, text, people }: ServicesSource): {
  services: Services;
  problems: readonly Problem[];
} {
  const read = readYamlText({ path, text });
  const broken = (problems: readonly Problem[]) => ({ services: NO_SERVICES, problems });
  if (read.problems.length > 0) return broken(read.problems);
  const raw = read.raw ?? {};
  const located = (problem: Problem): Problem => ({ at: read.placeOf(problem.field), ...problem });
  const parsed = fileSchema.safeParse(raw);
  const own = parsed.success
    ? []
    : parsed.error.issues.flatMap((issue) =>
        problemsOf(new z.ZodError([issue]), raw, { schema: fileSchema }).map((problem) =>
          located({ fix: fixOf(issue.path), ...problem }),
        ),
      );
  const outline = outlineSchema.parse(raw).services;
  const between = [...repeatedNames(outline), ...unknownNames(outline, people), ...circles(outline)];
  const problems = [...own, ...between.map(located)];
  if (!parsed.success || problems.length > 0) return broken(problems);
  return { services: servicesOf(parsed.data.services.map(toService)), problems };
}

function fixOf(path: readonly PropertyKey[]): string {
  const key = path.findLast((part) => typeof part === 'string');
  return FIXES.get(String(key)) ?? 'write it as docs/services.md does';
}

function repeatedNames(outline: Outline): Problem[] {
  return outline.flatMap(({ name: own }, index): Problem[] => {
    const first = outline.findIndex((other) => other.name === own);
    if (own === null || first === index) return [];
    const fix = 'give it a name of its own';
    return [{ field: `services.${index}.name`, value: JSON.stringify(own), message: 'stands here twice', fix }];
  });
}

function unknownNames(outline: Outline, people: ServicesSource['people']): Problem[] {
  const services = new Set<unknown>(outline.map((one) => one.name));
  const mayApprove = people?.filter(({ role }) => role !== 'viewer').map((person) => person.name);
  return outline.flatMap((service, index) => {
    const check = (key: 'depends_on' | 'runs_on' | 'approvers', isKnown: (one: string) => boolean, wrong: string) =>
      service[key].flatMap((one, at): Problem[] => {
        if (typeof one !== 'string' || isKnown(one)) return [];
        const fix = `correct the name, or ${key === 'approvers' ? 'add the person to people: in nightshift.yaml as approver or admin' : 'add the service'}`;
        return [{ field: `services.${index}.${key}.${at}`, value: JSON.stringify(one), message: wrong, fix }];
      });
    return [
      ...check('depends_on', (one) => services.has(one), 'there is no such service'),
      ...check('runs_on', (one) => services.has(one), 'there is no such service'),
      ...check('approvers', (one) => mayApprove?.includes(one) ?? true, 'is nobody in people: who may approve'),
    ];
  });
}

/** Each circle once, told as the chain that leads back to where it began, at the service of it that stands first in the file. */
function circles(outline: Outline): Problem[] {
  const next = new Map(
    outline.map((one) => [one.name, [...one.depends_on, ...one.runs_on].filter((to) => typeof to === 'string')]),
  );
  const told = new Set<string>();
  return outline.flatMap(({ name: start }, index): Problem[] => {
    if (start === null || told.has(start)) return [];
    const chain = shortestPaths(start, (from) => next.get(from) ?? []).get(start);
    if (chain === undefined) return [];
    for (const one of chain) told.add(one);
    const message = `depends on itself: ${chain.join(' → ')}`;
    return [{ field: `services.${index}.name`, value: JSON.stringify(start), message, fix: 'break the circle' }];
  });
}

function toService(service: z.infer<typeof serviceSchema>): Service {
  return {
    name: service.name,
    match: service.match ? parseMatcherList(service.match) : [{ label: 'service', operator: '=', value: service.name }],
    team: service.team ?? null,
    slackChannel: service.slack_channel ?? null,
    approvers: service.approvers ?? [],
    escalateTo: service.escalate_to ?? null,
    dependsOn: service.depends_on,
    runsOn: service.runs_on,
  };
}

function servicesOf(all: readonly Service[]): Services {
  const byName = new Map(all.map((service) => [service.name, service]));
  const below = (name: string) => [...(byName.get(name)?.dependsOn ?? []), ...(byName.get(name)?.runsOn ?? [])];
  const paths = new Map<string, ReadonlyMap<string, readonly string[]>>();
  return {
    all,
    serviceOf: (labels) => all.find(({ match }) => matchesLabels(match, labels)) ?? null,
    pathBetween(from, to) {
      if (!byName.has(from) || !byName.has(to)) return null;
      if (from === to) return [from];
      const known = paths.get(from) ?? shortestPaths(from, below);
      paths.set(from, known);
      return known.get(to) ?? null;
    },
  };
}

/** The shortest chain of at least one step to all that can be reached, breadth first; of two that are equally short, the one that is named first. */
function shortestPaths(
  from: string,
  next: (name: string) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  let reached: readonly (readonly string[])[] = [[from]];
  while (reached.length > 0) {
    const further: (readonly string[])[] = [];
    for (const chain of reached) {
      for (const one of next(chain.at(-1) ?? from)) {
        if (found.has(one)) continue;
        const longer = [...chain, one];
        found.set(one, longer);
        further.push(longer);
      }
    }
    reached = further;
  }
  return found;
}
