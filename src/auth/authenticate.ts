import { createTokenCheck } from './admin-token.ts';
import type { Operator, Principal } from './principal.ts';
import { InvalidToken, type RunTokens } from './tokens.ts';

/**
 * Returns the principal for the value of an `Authorization` header. Synchronous where possible, so that most
 * requests need not wait for a turn of the event loop. Throws, or rejects with, {@link InvalidToken} if the
 * value is not `Bearer` and a valid token, or if it is absent and a token is required.
 */
export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>;

/** Everything that identifies callers. */
export interface Credentials {
  readonly tokens: RunTokens;
  /** Null if the server has no admin token. */
  readonly adminToken: string | null;
  /** If true, requests without a token come from the operator. Requires that no other machine can connect. */
  readonly trustsLoopback: boolean;
}

/** Longer values cannot be tokens of this server and are not parsed. */
const TOKEN_MAX_LENGTH = 4_096;

/** The only workspace is `default` until workspaces exist. */
const OPERATOR: Operator = { kind: 'operator', workspace: 'default' };

/** Creates the function that authenticates requests with these credentials. */
export function createAuthenticate({ tokens, adminToken, trustsLoopback }: Credentials): Authenticate {
  const isAdminToken = adminToken === null ? () => false : createTokenCheck(adminToken);
  return (authorization) => {
    if (authorization === undefined) {
      if (trustsLoopback) return OPERATOR;
      throw new InvalidToken('this server requires a token: send it as "Authorization: Bearer TOKEN"');
    }
    if (authorization.length > TOKEN_MAX_LENGTH) {
      throw new InvalidToken(`the Authorization header must not exceed ${TOKEN_MAX_LENGTH} characters`);
    }
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (!token) throw new InvalidToken('the Authorization header must be "Bearer TOKEN"');
    return isAdminToken(token) ? OPERATOR : tokens.verify(token);
  };
}
