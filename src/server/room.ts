/** Room for what stays in memory for long, over all connections. */
export interface Room {
  /**
   * Takes so many bytes; returns how to give them back, once. Null: there is no room. `share` of the room is open to the
   * caller, so that some is left for others.
   */
  take(bytes: number, share: number): (() => void) | null;
  /** Bytes taken now. */
  heldBytes(): number;
}

/** Creates room for `maxBytes`. */
export function createRoom(maxBytes: number): Room {
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
