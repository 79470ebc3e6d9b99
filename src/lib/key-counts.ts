/** Counts how often each owner holds each key. */
export interface KeyCounts<Key> {
  /**
   * Counts one more. Returns a function that releases it once, or null if the owner would hold too many
   * different keys.
   */
  hold(owner: object, key: Key): (() => void) | null;
  /** Returns how many different keys the owner holds. */
  size(owner: object): number;
}

/** Creates counts with at most `most` different keys per owner, each held any number of times. */
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
