import { z } from 'zod';

const errorSchema = z.looseObject({ message: z.string() });

/** Reads the Engine's own words out of its answer; null where it has none. */
export function explainError(body: unknown): string | null {
  return errorSchema.safeParse(body).data?.message ?? null;
}
