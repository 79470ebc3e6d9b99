/** Counts bytes that stay in memory for a long time, across all connections. */
export interface ByteTotal {
  /**
   * Counts these bytes and returns a function that releases them once, or null if there is no room. The
   * caller may fill only this `share` of the total, from 0 to 1, so that some is left for others.
   */
  take(bytes: number, share: number): (() => void) | null;
  /** The number of bytes currently counted. */
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
