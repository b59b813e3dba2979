/** Who is asked, and in which order. Looks at no answer and calls nobody. */
import { MODEL_TIERS, type ModelConfig, type ModelRole, type RouteConfig } from '../config/index.ts';
import type { Price } from './prices.ts';

/** Answers that a model's speed goes by. */
const SPEED_ANSWERS = 20;
/** What was measured longer ago says nothing of now, so the model is tried again. */
const SPEED_MS = 600_000;
/** Where little is at stake and speed counts, small models come first unless a route says otherwise. */
const SMALL_FIRST: readonly ModelRole[] = ['triage', 'summarise', 'rerank'];

/** What routing looks at. */
export interface Routed {
  readonly name: string;
  readonly config: Pick<ModelConfig, 'tier' | 'weight'>;
  readonly price: Price | null;
  readonly speed: Speed;
}

/** How fast a model answered lately. */
export class Speed {
  readonly #now: () => number;
  #answers: { readonly at: number; readonly ms: number }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes an answer that took so many milliseconds. */
  note(ms: number): void {
    this.#answers = [...this.#answers, { at: this.#now(), ms }].slice(-SPEED_ANSWERS);
  }

  /** The median of the last 20 answers of ten minutes, in milliseconds; null where there are none. */
  get p50(): number | null {
    const from = this.#now() - SPEED_MS;
    const times = this.#answers.flatMap(({ at, ms }) => (at > from ? [ms] : [])).sort((a, b) => a - b);
    return times[times.length >> 1] ?? null;
  }
}

export interface Router<E extends Routed> {
  /** Those that may answer a role, in the order of the configuration; nobody for rerank where no route names one. */
  candidates(role: ModelRole): readonly E[];
  /** Those to ask now, by the strategy of the role's route. `cheapest` leaves none but the smallest tier, the lowest price first. */
  order(role: ModelRole, options?: { not?: readonly string[]; cheapest?: boolean }): readonly E[];
}

/** Makes the routes of the endpoints, which are in the order of the configuration; every name in `routing` must be one of theirs. */
export function createRouter<E extends Routed>(
  endpoints: readonly E[],
  routing: Readonly<Partial<Record<ModelRole, RouteConfig>>>,
): Router<E> {
  // Smooth weighted round robin: each turn adds its weight to all, and takes the sum from the one that is chosen.
  const credit = new Map<ModelRole, Map<E, number>>();

  const candidates = (role: ModelRole): readonly E[] => {
    const route = routing[role];
    if (route) return route.models.flatMap((name) => endpoints.filter((endpoint) => endpoint.name === name));
    if (role === 'rerank') return [];
    return SMALL_FIRST.includes(role) ? endpoints.toSorted((a, b) => tierOf(b) - tierOf(a)) : endpoints;
  };

  const balanced = (role: ModelRole, among: readonly E[]): readonly E[] => {
    const of = credit.get(role) ?? new Map<E, number>();
    credit.set(role, of);
    for (const endpoint of among) of.set(endpoint, (of.get(endpoint) ?? 0) + endpoint.config.weight);
    const order = among.toSorted((a, b) => (of.get(b) ?? 0) - (of.get(a) ?? 0));
    const [chosen] = order;
    const sum = among.reduce((total, { config }) => total + config.weight, 0);
    if (chosen) of.set(chosen, (of.get(chosen) ?? 0) - sum);
    return order;
  };

  return {
    candidates,
    order(role, { not = [], cheapest = false } = {}) {
      const among = candidates(role).filter(({ name }) => !not.includes(name));
      if (cheapest) {
        const smallest = Math.max(...among.map(tierOf));
        return among.filter((one) => tierOf(one) === smallest).toSorted((a, b) => dearness(a) - dearness(b));
      }
      const strategy = routing[role]?.strategy ?? 'fallback';
      if (strategy === 'balance') return balanced(role, among);
      // One that was not measured comes first, or it never would be.
      if (strategy === 'fastest') return among.toSorted((a, b) => (a.speed.p50 ?? 0) - (b.speed.p50 ?? 0));
      return among;
    },
  };
}

/** The greater, the smaller the model. */
function tierOf({ config }: Routed): number {
  return MODEL_TIERS.indexOf(config.tier);
}

/** A model without a price runs on the operator's own machines. */
function dearness({ price }: Routed): number {
  return price ? price.input + price.output : 0;
}
