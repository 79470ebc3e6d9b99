import { createHmac } from 'node:crypto';
import type { DerivedKey } from './keyring.ts';

/** Hashes JSON values so that the hash reveals nothing, even to a good guess. */
export interface KeyedHash {
  of(value: unknown): string;
  /** Returns true if the hash was made from this value with any of the keys. */
  matches(hash: string, value: unknown): boolean;
}

/**
 * Creates a hash that uses the first key and recognizes hashes made with any of them. The order of an
 * object's keys makes no difference.
 */
export function createKeyedHash(keys: readonly [DerivedKey, ...DerivedKey[]]): KeyedHash {
  const hashWith = ({ id, bytes }: DerivedKey, value: unknown) =>
    `${id}.${createHmac('sha256', bytes).update(canonical(value)).digest('base64url')}`;
  return {
    of: (value) => hashWith(keys[0], value),
    matches: (hash, value) => keys.some((key) => hashWith(key, value) === hash),
  };
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
