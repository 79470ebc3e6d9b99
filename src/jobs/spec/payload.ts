import type { JsonObject } from '../../contract/events.ts';
import { createKeyedHash } from '../../lib/secrets/keyed-hash.ts';
import type { Keyring } from '../../lib/secrets/keyring.ts';
import { createSecretBox } from '../../lib/secrets/secret-box.ts';

/** Encrypts payloads and hashes specs, so that neither is stored in the clear. */
export interface PayloadSafe {
  seal(payload: JsonObject, place: RunPlace): string;
  open(sealed: string, place: RunPlace): JsonObject;
  /** Returns a keyed hash of a spec. It reveals nothing of the spec, not even to a good guess. */
  hash(spec: JsonObject): string;
  /** Returns true if the hash was made from this spec with any of the keys. */
  isHashOf(hash: string, spec: JsonObject): boolean;
}

/** The run that a payload belongs to. A sealed payload opens for no other run. */
export interface RunPlace {
  readonly workspace: string;
  readonly runId: string;
}

/** Creates a safe. Its `open` throws if the keyring lacks the key that sealed the payload. */
export function createPayloadSafe(keyring: Keyring): PayloadSafe {
  const box = createSecretBox(keyring.derive('job payloads'));
  const hashes = createKeyedHash(keyring.derive('job specs'));
  const contextOf = ({ workspace, runId }: RunPlace) => JSON.stringify([workspace, runId]);
  return {
    seal: (payload, place) => box.seal(JSON.stringify(payload), contextOf(place)),
    open: (sealed, place) => JSON.parse(box.open(sealed, contextOf(place))) as JsonObject,
    hash: hashes.of,
    isHashOf: hashes.matches,
  };
}
