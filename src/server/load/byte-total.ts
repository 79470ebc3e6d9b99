/** Counts bytes that stay in memory for a long time, across all connections. */
export interface ByteTotal {
  /**
   * Counts these bytes for an owner. Returns a function that releases them once, or null if there is no room for
   * them. To make room, it may cut the owners that hold the most.
   */
  take(bytes: number, owner: Owner): (() => void) | null;
  /** Sets how an owner is cut, instead of `destroy`. The owner must then let go of everything that it holds. */
  onCut(owner: Owner, cut: () => void): void;
  /** The number of bytes currently counted. */
  heldBytes(): number;
}

/** What bytes are counted for: a connection. */
export interface Owner {
  destroy(): unknown;
}

/** The most that one owner may hold, as a share of the total. */
const OWNER_SHARE = 1 / 16;
/** Up to this share of the total, owners take what they want. */
const FREE_SHARE = 15 / 16;
/**
 * Above that share, an owner may take only what leaves it with clearly less than the largest owner holds: with at most
 * this share of that. Among equals, a newcomer would otherwise take the place of one of them, which would return and
 * take the place of the next, without an end.
 */
const SMALL_SHARE = 3 / 4;

interface Holder {
  readonly owner: Owner;
  bytes: number;
  isCut: boolean;
}

/**
 * Creates a total of at most `maxBytes`. If it is full, the owner that holds the most is cut for one that would hold
 * clearly less. So among n owners, each can always hold 15/16 * 3/4 of an n-th of the total, however the others came to
 * hold what they hold: if they leave no room for that, they hold more than an n-th of 15/16 on average, and the largest
 * of them holds at least the average. An owner that holds less than the average is never cut.
 * With `admitsFirst`, any amount is admitted while nothing is held. It makes room for others.
 */
export function createByteTotal(maxBytes: number, admitsFirst = false): ByteTotal {
  const known = new WeakMap<Owner, Holder>();
  const cuts = new WeakMap<Owner, () => void>();
  /** Those that hold anything. */
  const holders = new Set<Holder>();
  let held = 0;
  /** No holder holds more. It may be too high after a release, until the next search. */
  let mostHeld = 0;

  function holderOf(owner: Owner): Holder {
    let holder = known.get(owner);
    if (!holder) {
      holder = { owner, bytes: 0, isCut: false };
      known.set(owner, holder);
    }
    return holder;
  }

  function add(holder: Holder, bytes: number): void {
    held += bytes;
    holder.bytes += bytes;
    mostHeld = Math.max(mostHeld, holder.bytes);
    if (holder.bytes === 0) holders.delete(holder);
    else holders.add(holder);
  }

  function cut(holder: Holder): void {
    add(holder, -holder.bytes);
    holder.isCut = true;
    const { owner } = holder;
    (cuts.get(owner) ?? (() => owner.destroy()))();
  }

  /** Cuts the largest holder. Returns false if one that would hold these bytes is not clearly smaller. */
  function cutLargest(bytes: number): boolean {
    let largest: Holder | null = null;
    let next = 0;
    for (const holder of holders) {
      if (holder.bytes > (largest?.bytes ?? 0)) {
        next = largest?.bytes ?? 0;
        largest = holder;
      } else next = Math.max(next, holder.bytes);
    }
    mostHeld = largest?.bytes ?? 0;
    if (!largest || bytes > mostHeld * SMALL_SHARE) return false;
    cut(largest);
    mostHeld = next;
    return true;
  }

  return {
    take: (bytes, owner) => {
      const holder = holderOf(owner);
      const wanted = holder.bytes + bytes;
      if (holder.isCut) return null;
      const isFirst = admitsFirst && held === 0;
      if (!isFirst) {
        if (wanted > maxBytes * OWNER_SHARE) return null;
        if (held + bytes > maxBytes * FREE_SHARE && wanted > mostHeld * SMALL_SHARE) return null;
        while (held + bytes > maxBytes) if (!cutLargest(wanted)) return null;
      }
      add(holder, bytes);
      let taken = bytes;
      return () => {
        if (!holder.isCut) add(holder, -taken);
        taken = 0;
      };
    },
    onCut: (owner, cut) => void cuts.set(owner, cut),
    heldBytes: () => held,
  };
}
