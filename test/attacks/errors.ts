/** Gives an error's own words. */
export function messageOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
