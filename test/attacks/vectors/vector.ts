/** What all vectors have in common: how a case and a mutation become a script. */
import type { AttackCase } from '../case.ts';
import { turnsFor } from '../mutate-call.ts';
import { mutateTexts, textMutator } from '../mutate-text.ts';
import type { Turn } from '../planner.ts';
import type { Random } from '../random.ts';
import type { Script } from '../run.ts';
import { inScope, inScopeWish, type Wish, wishesOf } from '../wishes.ts';

export interface Mutation {
  /** 0 is the case as it stands. */
  readonly number: number;
  readonly run: string;
  readonly random: Random;
  /** Longer texts are made shorter; only some runs of a case need the full size. */
  readonly textMax: number;
}

/** A way in. */
export interface Vector {
  /** Directives that it knows what to do with; a case with any other is not executed. */
  readonly directives: readonly string[];
  /** Says why a case cannot be executed, or null. */
  readonly whyNot?: (attackCase: AttackCase) => string | null;
  readonly script: (
    attackCase: AttackCase,
    mutation: Mutation,
  ) => Omit<Script, 'checks' | 'lane'> & Partial<Pick<Script, 'lane' | 'checks'>>;
}

/** Gives the turns of the planner for a case's wishes. */
export function plannerFor(
  attackCase: AttackCase,
  { number, run, random }: Mutation,
): { name: string; turns: Turn[]; wishes: Wish[] } {
  const wishes = wishesOf(attackCase, run);
  // Each of several wishes is the one in scope in its turn.
  const chosen = wishes[number % wishes.length] as Wish;
  const argumentsOf = (tool: string) => inScope(tool, run);
  return { ...turnsFor({ literal: wishes, inScope: inScopeWish(chosen, run), argumentsOf }, number, random), wishes };
}

/** Writes a payload's texts differently, or leaves the case as it stands. */
export function mutated(
  payload: unknown,
  { number, random }: Mutation,
  options: { keepWords: boolean },
): { payload: unknown; name: string } {
  if (number === 0) return { payload, name: 'as it is' };
  const mutator = textMutator(number, options);
  return { payload: mutateTexts(payload, mutator, random), name: mutator.name };
}
