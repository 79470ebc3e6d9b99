import type { JsonObject } from '../contract/events.ts';
import { createKeyedHash } from '../lib/keyed-hash.ts';
import type { Keyring } from '../lib/keyring.ts';
import { createSecretBox } from '../lib/secret-box.ts';

/** What a job's payload and spec are kept as. */
export interface PayloadSafe {
  seal(payload: JsonObject, place: RunPlace): string;
  open(sealed: string, place: RunPlace): JsonObject;
  /** Names a spec without telling anything of it, even to who guesses well. */
  hash(spec: JsonObject): string;
  /** Whether a hash that was made with any of the keys is this spec's. */
  isHashOf(hash: string, spec: JsonObject): boolean;
}

/** The run that a payload belongs to. It opens for no other. */
export interface RunPlace {
  readonly workspace: string;
  readonly runId: string;
}

/** Makes the safe. */
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
