import { z } from 'zod';
import { plain } from '../incident/index.ts';
import { PREVIEW_LINE_CHARACTERS_MAX, PREVIEW_LINES_MAX } from './inspection.ts';
import type { Inspection } from './tool.ts';

const MEMBERS_MAX = 1_000_000;
/** What is kept of a state is a few fields, and goes into the record of the action. */
const BEFORE_CHARACTERS_MAX = 16 * 1024;

const inspectionSchema: z.ZodType<Inspection> = z.strictObject({
  // Compared and signed, never read by people: so nothing in it that has two spellings.
  uid: z
    .string()
    .regex(/^[!-~]{1,200}$/)
    .nullable(),
  population: z
    .strictObject({
      group: z.string().min(1).max(PREVIEW_LINE_CHARACTERS_MAX).transform(plain),
      members: z.int().min(1).max(MEMBERS_MAX),
      affects: z.int().min(1),
    })
    .refine(({ members, affects }) => affects <= members)
    .nullable(),
  preview: z.array(z.string().max(PREVIEW_LINE_CHARACTERS_MAX).transform(plain)).max(PREVIEW_LINES_MAX).nullable(),
  before: z
    .record(z.string(), z.json())
    .refine((before) => JSON.stringify(before).length <= BEFORE_CHARACTERS_MAX)
    .nullish(),
});

/** Reads what a toolset's process found, with its words made plain; null where it is not an inspection, or beyond its bounds. */
export function readInspection(value: unknown): Inspection | null {
  const parsed = inspectionSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}
