import type { Socket } from 'node:net';

/** A peer is slow if nothing could be written to its socket for this long. */
const SLOW_CONSUMER_MS = 30_000;
const CHECK_MS = 5_000;
/** Sockets are recounted after this share of the limit was written, and cut until this share is free. */
const SHARE = 1 / 8;

/** Counts the bytes written to sockets that their peers have not accepted, across all connections. */
export interface Unread {
  /** Updates the count of a socket after a write. Cheap for a peer that accepts everything at once. */
  note(socket: Socket): void;
  /** Sets how a socket with a slow peer is cut, instead of `destroy`. */
  onSlow(socket: Socket, cut: () => void): void;
  /** The number of bytes currently waiting. */
  heldBytes(): number;
}

interface Waiting {
  held: number;
  taken: number;
  /** When the peer last accepted bytes, on the monotonic clock. */
  since: number;
  cut: boolean;
}

interface SocketHandle {
  /** Bytes given to the system or queued for it. */
  readonly bytesWritten: number;
  /** Bytes queued. */
  readonly writeQueueSize: number;
}

/**
 * The bytes that the system has accepted for a peer. A write of many megabytes counts as it proceeds: Node's
 * `bytesWritten` and `writableLength` change only at its start and its end, so a peer that reads a large answer on a
 * slow line would look as if it read nothing. Node's own socket timeout goes by the same field of its handle.
 */
function takenBy(socket: Socket): number {
  const { bytesWritten, _handle: handle } = socket as Socket & { _handle?: SocketHandle | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : bytesWritten;
}

/**
 * Watches the unread bytes of sockets. A peer that accepts nothing for 30 s is cut. When more than `maxBytes`
 * wait in total, the sockets with the most bytes for the longest time are cut until the rest fits.
 */
export function createUnread(maxBytes: number): Unread {
  const sockets = new Map<Socket, Waiting>();
  const cuts = new WeakMap<Socket, () => void>();
  let total = 0;
  let recountAt = maxBytes;
  let timer: NodeJS.Timeout | null = null;

  function update(socket: Socket, waiting: Waiting, now: number): void {
    const held = socket.destroyed ? 0 : socket.writableLength;
    total += held - waiting.held;
    waiting.held = held;
    const taken = takenBy(socket);
    if (taken === waiting.taken && held > 0) return;
    waiting.taken = taken;
    waiting.since = now;
  }

  function recount(now: number): void {
    for (const [socket, waiting] of sockets) {
      update(socket, waiting, now);
      if (waiting.held === 0) sockets.delete(socket);
    }
    recountAt = Math.max(maxBytes, total + maxBytes * SHARE);
    if (sockets.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  }

  function cutSlow(): void {
    const now = performance.now();
    recount(now);
    for (const [socket, waiting] of sockets) {
      if (waiting.cut || now - waiting.since < SLOW_CONSUMER_MS) continue;
      waiting.cut = true;
      (cuts.get(socket) ?? (() => socket.destroy()))();
    }
  }

  function relieve(): void {
    const now = performance.now();
    recount(now);
    if (total <= maxBytes) return;
    const cost = ({ held, since }: Waiting) => held * (1_000 + now - since);
    const worstFirst = [...sockets].sort(([, one], [, other]) => cost(other) - cost(one));
    for (const [socket, { held }] of worstFirst) {
      if (total <= maxBytes * (1 - SHARE)) break;
      total -= held;
      sockets.delete(socket);
      // Without a close frame, which would be queued behind the unread bytes.
      socket.destroy();
    }
    recountAt = maxBytes;
  }

  return {
    heldBytes: () => total,
    onSlow: (socket, cut) => void cuts.set(socket, cut),
    note: (socket) => {
      let waiting = sockets.get(socket);
      if (!waiting) {
        if (socket.writableLength === 0 || socket.destroyed) return;
        waiting = { held: 0, taken: -1, since: 0, cut: false };
        sockets.set(socket, waiting);
        timer ??= setInterval(cutSlow, CHECK_MS).unref();
      }
      update(socket, waiting, performance.now());
      if (total > recountAt) relieve();
    },
  };
}
