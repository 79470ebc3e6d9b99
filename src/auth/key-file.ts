import { randomBytes } from 'node:crypto';
import { readSecretFile } from './secret-file.ts';

const SECRET_BYTES = 32;

/**
 * The secret that a server without SECRET_KEYS seals and signs with. The file is made if there is none; throws when it
 * holds something else.
 */
export function readKeyFile(path: string): Uint8Array {
  const text = readSecretFile(path, () => randomBytes(SECRET_BYTES).toString('base64'));
  const secret = Buffer.from(text, 'base64');
  if (secret.length !== SECRET_BYTES) {
    throw new Error(`${path} should hold ${SECRET_BYTES} bytes in base64: restore it, or set SECRET_KEYS`);
  }
  return secret;
}
