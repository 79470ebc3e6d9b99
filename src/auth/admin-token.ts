import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readSecretFile } from './secret-file.ts';

const SECRET_BYTES = 32;
/** Characters that a header can carry, and a length that cannot be guessed. */
const PATTERN = /^[\x21-\x7e]{32,512}$/;

/**
 * Returns the token whose bearer is the operator. Creates the file with a random token if it does not exist.
 * Throws if the file cannot be created or read, or does not contain such a token.
 */
export function readAdminToken(path: string): string {
  const token = readSecretFile(
    path,
    () => `runfeed_admin_${randomBytes(SECRET_BYTES).toString('base64url')}`,
  );
  if (isAdminToken(token)) return token;
  throw new Error(
    `${path} must contain the admin token, 32 to 512 printable ASCII characters without spaces: ` +
      'correct the file, or remove it and the next start creates a new token',
  );
}

/** Returns true if a text has the form of an admin token. */
export function isAdminToken(text: string): boolean {
  return PATTERN.test(text);
}

/** Returns a function that compares a string with the token, in constant time. */
export function createTokenCheck(token: string): (text: string) => boolean {
  const digest = sha256(token);
  return (text) => timingSafeEqual(sha256(text), digest);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
