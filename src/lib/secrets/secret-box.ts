import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { DerivedKey } from './keyring.ts';

/** Encrypts texts so that they can be read and changed only with the key. */
export interface SecretBox {
  /** Encrypts a text. `context` names what the text belongs to; it cannot be opened in any other context. */
  seal(text: string, context: string): string;
  /** Decrypts a text. Throws if it was sealed with an unknown key or in another context, or was changed. */
  open(sealed: string, context: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Creates a box that seals with the first key and opens with any of them: AES-256-GCM with a fresh nonce each
 * time.
 */
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
      if (!key) throw new Error('sealed with an unknown key');
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
