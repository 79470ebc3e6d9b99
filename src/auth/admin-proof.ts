import { createHmac, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '../lib/loopback.ts';

/** The header in which a client asks for a proof: a fresh random text. */
export const CHALLENGE_HEADER = 'runfeed-challenge';
/** The header in which a server proves, in a 401 answer, that it knows the admin token. */
export const PROOF_HEADER = 'runfeed-proof';

/** Keeps a proof apart from every other use of the token as a key. */
const LABEL = 'runfeed admin token proof 1';
/** Long enough to be new each time, short enough to cost nothing. No line feeds, which separate the parts. */
const CHALLENGE = /^[\w-]{32,128}$/;

/** The server's end of a TCP connection. Its fields are undefined once the connection is closed. */
export interface ServerEnd {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

/** Returns the proof for a challenge. Null: the challenge is missing or invalid, or no proof is due. */
export type Prove = (challenge: unknown, end: ServerEnd) => string | null;

/**
 * Creates the function with which a server proves that it knows the admin token. Null: it has none. The proof
 * holds for one challenge and for one address and port, so a program that listens elsewhere cannot pass on
 * the challenge and use the answer. Only loopback addresses get proofs: other clients send their own token,
 * and could use many proofs to guess a weak one.
 */
export function createProve(token: string | null): Prove {
  return (challenge, { address, port }) => {
    if (token === null || typeof challenge !== 'string' || !CHALLENGE.test(challenge)) return null;
    // A socket that accepts both IP versions reports IPv4 addresses in the notation of IPv6.
    const plain = address?.replace(/^::ffff:/i, '');
    if (plain === undefined || port === undefined || !isLoopback(plain)) return null;
    return createHmac('sha256', token)
      .update(`${LABEL}\n${challenge}\n${plain}\n${port}`)
      .digest('base64url');
  };
}

/** Returns true if a proof was made with this token, for this challenge and end. Takes constant time. */
export function isProven(proof: string, token: string, challenge: string, end: ServerEnd): boolean {
  const expected = createProve(token)(challenge, end);
  if (expected === null || proof.length !== expected.length) return false;
  const [one, other] = [Buffer.from(proof), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
