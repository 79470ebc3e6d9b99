/** What stays in memory for long, over all connections. */
export interface ByteTotal {
  /**
   * Counts so many bytes; returns how to give them back, once. Null: there is no room. `share` of the total is open to
   * the caller, so that some is left for others.
   */
  take(bytes: number, share: number): (() => void) | null;
  /** Bytes counted now. */
  heldBytes(): number;
}

/** Creates a total of at most `maxBytes`. */
export function createByteTotal(maxBytes: number): ByteTotal {
  let held = 0;
  return {
    take: (bytes, share) => {
      if (held + bytes > maxBytes * share) return null;
      held += bytes;
      let own = bytes;
      return () => {
        held -= own;
        own = 0;
      };
    },
    heldBytes: () => held,
  };
}
