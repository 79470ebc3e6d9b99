import { createTokenCheck } from './admin-token.ts';
import type { Operator, Principal } from './principal.ts';
import { InvalidToken, type RunTokens } from './tokens.ts';

/**
 * Who asks, by an `Authorization` header's value. Answers at once when it can: most requests need not wait for a turn of
 * the event loop. Throws, or rejects with, {@link InvalidToken} for a value that is not `Bearer` and a token of ours,
 * and for none where a token is needed.
 */
export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>;

/** What callers are recognised by. */
export interface Credentials {
  readonly tokens: RunTokens;
  /** Null: this server has none. */
  readonly adminToken: string | null;
  /** Whether a request without a token comes from the operator: only when no other machine can reach the server. */
  readonly trustsLoopback: boolean;
}

/** Longer text is no token of ours, and is not worth reading. */
const TOKEN_MAX_LENGTH = 4_096;

/** Until there are workspaces. */
const OPERATOR: Operator = { kind: 'operator', workspace: 'default' };

/** Makes it. */
export function createAuthenticate({ tokens, adminToken, trustsLoopback }: Credentials): Authenticate {
  const isAdminToken = adminToken === null ? () => false : createTokenCheck(adminToken);
  return (authorization) => {
    if (authorization === undefined) {
      if (trustsLoopback) return OPERATOR;
      throw new InvalidToken('a token is needed here: send it as "Authorization: Bearer TOKEN"');
    }
    if (authorization.length > TOKEN_MAX_LENGTH) {
      throw new InvalidToken(`Authorization has at most ${TOKEN_MAX_LENGTH} characters`);
    }
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (!token) throw new InvalidToken('Authorization must be "Bearer" and a token');
    return isAdminToken(token) ? OPERATOR : tokens.verify(token);
  };
}
