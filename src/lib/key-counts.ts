/** Counts how often each owner holds each of several keys. */
export interface KeyCounts<Key> {
  /** Counts one more. Returns how to give it back, once. Null: the owner would hold too many different keys. */
  hold(owner: object, key: Key): (() => void) | null;
  /** How many different keys the owner holds. */
  size(owner: object): number;
}

/** Creates counts in which an owner holds at most `most` different keys, each any number of times. */
export function createKeyCounts<Key>(most: number): KeyCounts<Key> {
  const byOwner = new WeakMap<object, Map<Key, number>>();
  return {
    hold: (owner, key) => {
      const counts = byOwner.get(owner) ?? new Map<Key, number>();
      byOwner.set(owner, counts);
      const count = counts.get(key) ?? 0;
      if (count === 0 && counts.size >= most) return null;
      counts.set(key, count + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (counts.get(key) ?? 1) - 1;
        if (left > 0) counts.set(key, left);
        else counts.delete(key);
      };
    },
    size: (owner) => byOwner.get(owner)?.size ?? 0,
  };
}
