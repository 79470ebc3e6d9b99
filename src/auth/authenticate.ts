import { LOOPBACK_OPERATOR, type Principal } from './principal.ts';
import { InvalidToken, type RunTokens } from './tokens.ts';

/**
 * Who asks, by an `Authorization` header's value; without one the operator of this loopback-only server. Throws
 * {@link InvalidToken} for a value that is not `Bearer` and a token of ours.
 */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

/** Makes it. */
export function createAuthenticate(tokens: RunTokens): Authenticate {
  return async (authorization) => {
    if (authorization === undefined) return LOOPBACK_OPERATOR;
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (!token) throw new InvalidToken('Authorization must be "Bearer" and a token');
    return tokens.verify(token);
  };
}
