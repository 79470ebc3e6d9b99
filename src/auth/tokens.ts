import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Keyring } from '../lib/secrets/keyring.ts';
import type { Runner } from './principal.ts';

const ALGORITHM = 'HS256';
const ISSUER = 'runfeed';
const PURPOSE = 'run tokens';
/**
 * Tokens of runners are valid for this much longer than their job may take, in milliseconds. The server's clock may be set
 * forward while a job runs, and the job goes on. What a token may do ends an hour after its run, whatever the clock says.
 */
export const TOKEN_SLACK_MS = 30 * 24 * 3_600_000;
/** Runners send the same token with every batch, and a look-up is faster than a verification. */
const REMEMBERED_TOKENS = 10_000;

const claims = z.object({
  sub: z.string(),
  ws: z.string(),
  exp: z.number(),
  may: z.enum(['claim', 'send']),
  instance: z.string().optional(),
});

/** The token is missing, malformed, expired, or not signed with a key of this server. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';
}

/** Issues and verifies tokens for runs. The newest key signs; all keys verify. */
export interface RunTokens {
  issue(runner: Runner): Promise<string>;
  /** Rejects with {@link InvalidToken}. */
  verify(token: string): Promise<Runner>;
}

/** Creates the run tokens of a keyring. Tokens are JWTs signed with HS256. */
export function createRunTokens(keyring: Keyring): RunTokens {
  const keys = keyring.derive(PURPOSE);
  const verified = new LRUCache<string, Runner>({ max: REMEMBERED_TOKENS });

  async function verify(token: string): Promise<Runner> {
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = keys.find(({ id }) => id === kid);
          if (!key) throw new errors.JWSInvalid('signed with an unknown key');
          return key.bytes;
        },
        { algorithms: [ALGORITHM], issuer: ISSUER },
      );
      const { sub, ws, exp, may, instance } = claims.parse(payload);
      const right = may === 'claim' ? { may } : { may, instance: z.string().parse(instance) };
      return { kind: 'runner', workspace: ws, runId: sub, right, expiresAt: exp * 1_000 };
    } catch (cause) {
      throw new InvalidToken('the token is invalid on this server or has expired: use a new one', { cause });
    }
  }

  return {
    issue: ({ workspace, runId, right, expiresAt }) => {
      const instance = right.may === 'send' ? { instance: right.instance } : {};
      return new SignJWT({ ws: workspace, may: right.may, ...instance })
        .setProtectedHeader({ alg: ALGORITHM, kid: keys[0].id })
        .setIssuer(ISSUER)
        .setSubject(runId)
        .setExpirationTime(Math.ceil(expiresAt / 1_000))
        .sign(keys[0].bytes);
    },
    verify: async (token) => {
      const known = verified.get(token);
      if (known && known.expiresAt > Date.now()) return known;
      const runner = await verify(token);
      verified.set(token, runner);
      return runner;
    },
  };
}
