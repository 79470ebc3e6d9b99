/** How long an unfinished request may go without a byte. */
const STALLED_MS = 30_000;
/** How long a request may take to arrive. 16 MiB in this time is 56 KB/s. */
const ARRIVAL_MS = 300_000;
/** An unfinished request that began longer ago makes room for others when there is none. */
const YIELDS_AFTER_MS = 10_000;
const CHECK_MS = 5_000;

/** The bytes of requests in memory, over all connections. */
export interface Intake {
  /** Begins to count a request. `cut` ends one that does not arrive in time, or that makes room for others. */
  begin(cut: () => void): Request;
  /** Counts a whole request. False: there is no room, and nothing was counted. */
  take(bytes: number): boolean;
  /** Gives back what {@link take} counted. */
  give(bytes: number): void;
  /** Bytes counted now. */
  heldBytes(): number;
}

/** One request body or websocket message, from its first byte to its answer. */
export interface Request {
  /** Counts bytes that have arrived. False: there is no room, so the request has to be refused. */
  add(bytes: number): boolean;
  /** Says that all of it has arrived: from now on it is not cut. */
  arrived(): void;
  /** Ends it with what `begin` was given. */
  cut(): void;
  /** Says that its bytes are no longer needed. May be called again. */
  release(): void;
}

interface Arriving {
  readonly cut: () => void;
  readonly began: number;
  last: number;
}

/**
 * Counts requests up to `maxBytes` in all. A request that finds no other in memory is always let in, so that `maxBytes`
 * does not bound a single request.
 */
export function createIntake(maxBytes: number): Intake {
  let held = 0;
  // In the order in which they began.
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

  /** Cuts the oldest unfinished requests until there is room. False: all that is left has a right to stay. */
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
      // From the beginning: a client that announces a body may never send a byte of it.
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
