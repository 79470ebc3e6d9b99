const MAX_REMEMBERED = 4096;
const MAX_ID_LENGTH = 512;

/** The ids of the newest 4,096 events, because a history and the live stream after it overlap. */
export interface SeenIds {
  /** Returns true if the id was added before. Does not add it. */
  has(id: string): boolean;
  add(id: string): void;
}

/** Creates an empty set of ids. */
export function createSeenIds(): SeenIds {
  const ids = new Set<string>();
  return {
    has: (id) => ids.has(id),
    add(id) {
      if (id.length > MAX_ID_LENGTH) return;
      ids.add(id);
      const [oldest] = ids;
      if (ids.size > MAX_REMEMBERED && oldest !== undefined) ids.delete(oldest);
    },
  };
}
