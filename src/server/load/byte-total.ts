/** Counts bytes that stay in memory for a long time, across all connections. */
export interface ByteTotal {
  /**
   * Counts these bytes for an owner. Returns a function that releases them once, or null if there is no room for them:
   * an owner may hold at most {@link OWNER_SHARE} of what is free. So however many owners take what they can get,
   * there is room for one that holds little.
   */
  take(bytes: number, owner: object): (() => void) | null;
  /** The number of bytes currently counted. */
  heldBytes(): number;
}

/** One owner alone gets a 17th of the total. 2,000 of them leave 8 MB of 1 GiB free, so one may hold 0.5 MB. */
const OWNER_SHARE = 1 / 16;

/** Creates a total of at most `maxBytes`. */
export function createByteTotal(maxBytes: number): ByteTotal {
  const heldBy = new WeakMap<object, number>();
  let held = 0;
  return {
    take: (bytes, owner) => {
      const own = heldBy.get(owner) ?? 0;
      if (own + bytes > (maxBytes - held) * OWNER_SHARE) return null;
      held += bytes;
      heldBy.set(owner, own + bytes);
      let taken = bytes;
      return () => {
        held -= taken;
        heldBy.set(owner, (heldBy.get(owner) ?? 0) - taken);
        taken = 0;
      };
    },
    heldBytes: () => held,
  };
}
