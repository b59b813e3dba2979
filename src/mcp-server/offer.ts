import { isWithin, type Principal, type Scope } from '../identity/index.ts';

/** Makes what takes away from a session's server again what the token that opened it is not for. */
export function offerTo({ scopes }: Pick<Principal, 'scopes'>) {
  return (scope: Scope, offered: { remove(): void }): void => {
    if (!isWithin(scopes ?? null, scope)) offered.remove();
  };
}
