import { z } from 'zod';

const statusSchema = z.looseObject({ kind: z.literal('Status'), message: z.string(), reason: z.string().optional() });

/**
 * Reads the API server's own words out of its answer; null where it is no Status.
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
export function explainStatus(body: unknown): string | null {
  const status = statusSchema.safeParse(body);
  if (!status.success) return null;
  const { reason, message } = status.data;
  return reason ? `${reason}: ${message}` : message;
}
