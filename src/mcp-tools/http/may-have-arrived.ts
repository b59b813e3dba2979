/** What is wrong before a request is on its way: no address, no connection, no certificate that is accepted. */
const BEFORE_IT_IS_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|ENOENT|EACCES|UND_ERR_CONNECT_TIMEOUT)$|CERT|ISSUER|SIGNATURE|^ERR_TLS/;
/** A gateway that got no answer does not know either what the system behind it did. */
const OF_A_GATEWAY: ReadonlySet<number> = new Set([502, 504]);

/** Tells whether a request that failed like this, or was given up, may have been carried out all the same. */
export function mayHaveArrived(cause: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return true;
  for (let error = cause; error instanceof Error; error = error.cause) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === 'string') return !BEFORE_IT_IS_SENT.test(code);
  }
  // What was never a request, such as one with a header that cannot be sent, has no code.
  return false;
}

/** Tells a status that does not say whether the request was carried out. */
export function saysNothing(status: number): boolean {
  return OF_A_GATEWAY.has(status);
}
