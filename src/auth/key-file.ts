import { randomBytes } from 'node:crypto';
import { readSecretFile } from './secret-file.ts';

const SECRET_BYTES = 32;

/**
 * Returns the 32-byte secret with which a server without SECRET_KEYS encrypts and signs. Creates the file if
 * it does not exist. Throws if the file contains something else.
 */
export function readKeyFile(path: string): Uint8Array {
  const text = readSecretFile(path, () => randomBytes(SECRET_BYTES).toString('base64'));
  const secret = Buffer.from(text, 'base64');
  if (secret.length !== SECRET_BYTES) {
    throw new Error(`${path} must contain ${SECRET_BYTES} bytes in base64: restore it, or set SECRET_KEYS`);
  }
  return secret;
}
