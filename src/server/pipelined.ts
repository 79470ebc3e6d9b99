import type { Socket } from 'node:net';

/** Requests of one connection without an answer. Node keeps them all, at 1 to 2 KB each, while the first one takes its time. */
const MAX_UNANSWERED = 64;

/**
 * Counts the requests that a connection sends without waiting for answers (RFC 9112, section 9.3.2). Behind a stream
 * without an end they would fill the heap.
 */
export interface Pipelined {
  /** Counts a request. False: it is one too many. */
  begin(socket: Socket): boolean;
  /** Says that the answer to one of them is written. */
  end(socket: Socket): void;
}

/** Creates the count of one server's connections. */
export function createPipelined(): Pipelined {
  const unanswered = new WeakMap<Socket, number>();
  return {
    begin: (socket) => {
      const count = (unanswered.get(socket) ?? 0) + 1;
      unanswered.set(socket, count);
      return count <= MAX_UNANSWERED;
    },
    end: (socket) => {
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
    },
  };
}
