import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readSecretFile } from './secret-file.ts';

const SECRET_BYTES = 32;
/** What a header can carry, and long enough that it cannot be guessed. */
const PATTERN = /^[\x21-\x7e]{32,512}$/;

/**
 * The token that makes its bearer the operator. The file is made with a random one if there is none. Throws when the
 * file cannot be made or read, and when it holds no such token.
 */
export function readAdminToken(path: string): string {
  const token = readSecretFile(
    path,
    () => `runfeed_admin_${randomBytes(SECRET_BYTES).toString('base64url')}`,
  );
  if (PATTERN.test(token)) return token;
  throw new Error(
    `${path} must hold the admin token, 32 to 512 printable ASCII characters without spaces: remove it to have one made`,
  );
}

/** Whether a text is this token. Takes the same time wherever they differ. */
export function createTokenCheck(token: string): (text: string) => boolean {
  const digest = sha256(token);
  return (text) => timingSafeEqual(sha256(text), digest);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
