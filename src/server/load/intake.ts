/** How long an unfinished request may be silent. */
const STALLED_MS = 30_000;
/** How long a request may take to arrive. 16 MiB in this time is 56 KB/s. */
const ARRIVAL_MS = 300_000;
/** An unfinished request that is older than this is cut when others need its room, however little it holds. */
const YIELDS_AFTER_MS = 10_000;
/**
 * A younger one is cut for one of known size that costs at most a share of what it costs: its bytes for as long as it has
 * held them, plus a second. A piece of unknown size may count far more than was sent for it, so half as much is enough.
 */
const SMALL_SHARE = 1 / 2;
const ADDED_MS = 1_000;
/**
 * What counts for a request of known size was sent, so similar ones wait for it. After a while, it is cut for one that
 * costs far less: its sender may hold it back on purpose.
 */
const KNOWN_YIELDS_AFTER_MS = 1_000;
const TINY_SHARE = 1 / 16;
/** Once a search has found no one to cut, one that would find the same waits for this long. */
const SEARCH_MS = 50;
/** When unfinished requests are cut, this share of the total becomes free, so that it is rarely necessary. */
const FREED_SHARE = 1 / 16;
const CHECK_MS = 5_000;

/** Counts the bytes of requests in memory, across all connections. */
export interface Intake {
  /**
   * Starts to count a request of `size` bytes, or null if its size is not known. `cut` is called if the request does
   * not arrive in time, or has to make room for others.
   */
  begin(cut: () => void, size: number | null): Request;
  /** Counts a complete request. Returns false, without counting anything, if there is no room. */
  take(bytes: number): boolean;
  /** Releases bytes that {@link take} counted. */
  give(bytes: number): void;
  /** The number of bytes currently counted. */
  heldBytes(): number;
}

/** One request body or websocket message, from its first byte to its answer. */
export interface Request {
  /** Counts bytes that have arrived. Returns false if there is no room; the request must then be refused. */
  add(bytes: number): boolean;
  /** Marks the request as complete, so that it is no longer cut. */
  arrived(): void;
  /** Releases the request and calls the `cut` that was passed to `begin`. */
  cut(): void;
  /** Releases the request's bytes. Later calls have no effect. */
  release(): void;
}

interface Arriving {
  readonly cut: () => void;
  readonly size: number | null;
  readonly began: number;
  last: number;
  bytes: number;
}

/**
 * Creates an intake for up to `maxBytes` bytes in total. A request is always admitted when it is the only one
 * in memory, so `maxBytes` does not limit a single request. When there is no room, unfinished requests that hold the most
 * for the longest make room for smaller and younger ones, so no number of them keeps out a small one.
 */
export function createIntake(maxBytes: number): Intake {
  let held = 0;
  // In the order in which they started.
  const arriving = new Set<Arriving>();
  /** Bytes of requests in `arriving`. */
  let unfinished = 0;
  /** The highest cost to which one of them yields, as of the last search and what was added since. */
  let highestYield = 0;
  let searchedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | null = null;

  function enter(request: Arriving): Arriving {
    arriving.add(request);
    timer ??= setInterval(cutLate, CHECK_MS).unref();
    return request;
  }

  function cutLate(): void {
    const now = performance.now();
    if (arriving.size === 0 && timer) {
      clearInterval(timer);
      timer = null;
    }
    for (const request of [...arriving]) {
      const late = now - request.began >= ARRIVAL_MS || now - request.last >= STALLED_MS;
      if (late) request.cut();
    }
  }

  /** Cuts unfinished requests until there is room. Returns false if all remaining requests are entitled to stay. */
  function makeRoom(bytes: number, own?: Arriving): boolean {
    const now = performance.now();
    for (const request of arriving) {
      if (held + bytes <= maxBytes || now - request.began < YIELDS_AFTER_MS) break;
      if (request !== own) request.cut();
    }
    if (held + bytes <= maxBytes) return true;
    const size = own ? own.size : bytes;
    return size !== null && cutCostliest(bytes, { size, now, own });
  }

  /** Cuts the unfinished requests that cost the most, if that makes room for one that costs clearly less. */
  function cutCostliest(
    bytes: number,
    { size, now, own }: { readonly size: number; readonly now: number; readonly own: Arriving | undefined },
  ): boolean {
    const wanted = own ? costOf(own, size, now) : size * ADDED_MS;
    // Others cannot make room by themselves, or none of them costs enough.
    if (held - unfinished + bytes > maxBytes) return false;
    if (wanted > highestYield && now - searchedAt < SEARCH_MS) return false;
    searchedAt = now;
    highestYield = 0;
    let yielding = 0;
    const costly: { readonly request: Arriving; readonly yieldsTo: number }[] = [];
    for (const request of arriving) {
      const yieldsTo = yieldOf(request, now);
      highestYield = Math.max(highestYield, yieldsTo);
      if (wanted > yieldsTo) continue;
      costly.push({ request, yieldsTo });
      yielding += request.bytes;
    }
    if (held - yielding + bytes > maxBytes) return false;
    costly.sort((one, other) => other.yieldsTo - one.yieldsTo);
    const enough = maxBytes * (1 - FREED_SHARE);
    for (const { request } of costly) {
      if (held + bytes <= enough) break;
      request.cut();
    }
    return true;
  }

  return {
    heldBytes: () => held,
    take: (bytes) => {
      if (held > 0 && held + bytes > maxBytes && !makeRoom(bytes)) return false;
      held += bytes;
      return true;
    },
    give: (bytes) => {
      held -= bytes;
    },
    begin: (onCut, size) => {
      let released = false;
      const arrived = () => {
        if (arriving.delete(entry)) unfinished -= entry.bytes;
      };
      const release = () => {
        if (released) return;
        released = true;
        arrived();
        held -= entry.bytes;
      };
      const cut = () => {
        release();
        onCut();
      };
      // Counted from the start, because a client that announces a body may never send a byte of it.
      const began = performance.now();
      const entry = enter({ cut, size, began, last: began, bytes: 0 });
      return {
        add: (bytes) => {
          if (released) return false;
          const now = performance.now();
          entry.last = now;
          if (held > entry.bytes && held + bytes > maxBytes && !makeRoom(bytes, entry)) return false;
          held += bytes;
          entry.bytes += bytes;
          if (arriving.has(entry)) {
            unfinished += bytes;
            highestYield = Math.max(highestYield, yieldOf(entry, now));
          }
          return true;
        },
        arrived,
        cut,
        release,
      };
    },
  };
}

/** What a request costs that holds this many bytes. */
function costOf({ began }: Arriving, bytes: number, now: number): number {
  return bytes * (ADDED_MS + now - began);
}

/** The highest cost of a new request for which an unfinished one is cut. */
function yieldOf(request: Arriving, now: number): number {
  const cost = costOf(request, request.bytes, now);
  if (request.size === null) return cost * SMALL_SHARE;
  return now - request.began < KNOWN_YIELDS_AFTER_MS ? 0 : cost * TINY_SHARE;
}
