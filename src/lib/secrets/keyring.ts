import { createHash, hkdfSync } from 'node:crypto';

/**
 * A key for one purpose. `id` identifies the secret that the key derives from and reveals nothing about it.
 */
export interface DerivedKey {
  readonly id: string;
  /** The key, 32 bytes long. */
  readonly bytes: Uint8Array;
}

/** Secrets under rotation: the first one is used for everything new, and all of them for what exists. */
export interface Keyring {
  /**
   * Derives one key from each secret, in their order. Keys for different purposes reveal nothing about each
   * other.
   */
  derive(purpose: string): readonly [DerivedKey, ...DerivedKey[]];
}

/** Creates a keyring from one or more secrets, newest first. */
export function createKeyring(secrets: readonly [Uint8Array, ...Uint8Array[]]): Keyring {
  return {
    derive: (purpose) => {
      const [first, ...others] = secrets;
      return [deriveKey(first, purpose), ...others.map((secret) => deriveKey(secret, purpose))];
    },
  };
}

function deriveKey(secret: Uint8Array, purpose: string): DerivedKey {
  const id = createHash('sha256').update('key id').update(secret).digest('base64url').slice(0, 8);
  return { id, bytes: new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32)) };
}
