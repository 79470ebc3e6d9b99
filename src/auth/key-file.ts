import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const SECRET_BYTES = 32;

/**
 * The secret in this file, which is made, readable by its owner alone, if there is none: what a server without
 * configuration seals and signs with. Throws when the file holds something else.
 */
export function readKeyFile(path: string): Uint8Array {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) makeKeyFile(path);
  const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (secret.length !== SECRET_BYTES) {
    throw new Error(`${path} should hold ${SECRET_BYTES} bytes in base64: restore it, or set SECRET_KEYS`);
  }
  return secret;
}

/** Written beside and then linked: the file is there as a whole or not at all, and whoever comes second leaves it. */
function makeKeyFile(path: string): void {
  const draft = `${path}.${process.pid}`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${randomBytes(SECRET_BYTES).toString('base64')}\n`);
    fsyncSync(file);
    if (!existsSync(path)) linkSync(draft, path);
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
}
