import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { DerivedKey } from './keyring.ts';

/** Keeps texts so that only who has the key can read or change them. */
export interface SecretBox {
  /** `context` says what the text belongs to; it opens in no other. */
  seal(text: string, context: string): string;
  /** Throws when it was sealed with another key or in another context, or was changed. */
  open(sealed: string, context: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A box whose first key seals, and whose keys all open: AES-256-GCM, a fresh nonce each time. */
export function createSecretBox(keys: readonly [DerivedKey, ...DerivedKey[]]): SecretBox {
  return {
    seal: (text, context) => {
      const [key] = keys;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(context));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `${key.id}.${Buffer.concat(parts).toString('base64url')}`;
    },
    open: (sealed, context) => {
      const [id, body = ''] = sealed.split('.', 2);
      const key = keys.find((candidate) => candidate.id === id);
      if (!key) throw new Error('sealed with a key that is not here');
      const bytes = Buffer.from(body, 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('not a sealed text');
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      const text = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString();
    },
  };
}
