import { createHash, hkdfSync } from 'node:crypto';

/** A key for one purpose. `id` names the secret that it comes from, and tells nothing of it. */
export interface DerivedKey {
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

/** Secrets that take turns: the first one makes what is new, all of them understand what is old. */
export interface Keyring {
  /** One key of each secret, in their order. Keys of different purposes tell nothing of each other. */
  derive(purpose: string): readonly [DerivedKey, ...DerivedKey[]];
}

/** A keyring of at least one secret. */
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
