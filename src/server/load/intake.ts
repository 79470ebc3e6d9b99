/** How long an unfinished request may be silent. */
const STALLED_MS = 30_000;
/** How long a request may take to arrive. 16 MiB in this time is 56 KB/s. */
const ARRIVAL_MS = 300_000;
/** An unfinished request that is older than this is cut when others need its room. */
const YIELDS_AFTER_MS = 10_000;
const CHECK_MS = 5_000;

/** Counts the bytes of requests in memory, across all connections. */
export interface Intake {
  /**
   * Starts to count a request. `cut` is called if the request does not arrive in time, or has to make room
   * for others.
   */
  begin(cut: () => void): Request;
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
  readonly began: number;
  last: number;
}

/**
 * Creates an intake for up to `maxBytes` bytes in total. A request is always admitted when it is the only one
 * in memory, so `maxBytes` does not limit a single request.
 */
export function createIntake(maxBytes: number): Intake {
  let held = 0;
  // In the order in which they started.
  const arriving = new Set<Arriving>();
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

  /**
   * Cuts the oldest unfinished requests until there is room. Returns false if all remaining requests are
   * entitled to stay.
   */
  function makeRoom(bytes: number, own?: Arriving): boolean {
    const now = performance.now();
    for (const request of arriving) {
      if (held + bytes <= maxBytes || now - request.began < YIELDS_AFTER_MS) break;
      if (request !== own) request.cut();
    }
    return held + bytes <= maxBytes;
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
    begin: (onCut) => {
      let own = 0;
      let released = false;
      const arrived = () => {
        arriving.delete(entry);
      };
      const release = () => {
        if (released) return;
        released = true;
        arrived();
        held -= own;
      };
      const cut = () => {
        release();
        onCut();
      };
      // Counted from the start, because a client that announces a body may never send a byte of it.
      const began = performance.now();
      const entry = enter({ cut, began, last: began });
      return {
        add: (bytes) => {
          if (released) return false;
          entry.last = performance.now();
          if (held > own && held + bytes > maxBytes && !makeRoom(bytes, entry)) return false;
          held += bytes;
          own += bytes;
          return true;
        },
        arrived,
        cut,
        release,
      };
    },
  };
}
