import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Intake } from './intake.ts';

/** Requests of one connection without an answer. Node keeps them all while the first one takes its time. */
const MAX_UNANSWERED = 64;
/** What a request takes beside the text of its headers: 1 to 2 KB, and each header its share. */
const REQUEST_BYTES = 2_048;
const HEADER_BYTES = 64;

/**
 * Counts the requests that a connection sends without waiting for answers (RFC 9112, section 9.3.2). Behind a stream
 * without an end they would fill the heap.
 */
export interface Pipelined {
  /** Counts a request; returns what is to be called when its answer is written. Null: there is no room for it. */
  begin(request: IncomingMessage): (() => void) | null;
}

/** What one connection has without an answer. */
interface Unanswered {
  requests: number;
  /** Bytes that the intake counts. */
  bytes: number;
}

/** Creates the count of one server's connections. Requests that wait behind another one are counted by `intake`. */
export function createPipelined(intake: Intake): Pipelined {
  const connections = new WeakMap<Socket, Unanswered>();

  function release(own: Unanswered, bytes: number): void {
    // Once the connection is closed, all of its bytes are given back.
    const given = Math.min(own.bytes, bytes);
    own.bytes -= given;
    intake.give(given);
  }

  function connectionOf(socket: Socket): Unanswered {
    const known = connections.get(socket);
    if (known) return known;
    const own = { requests: 0, bytes: 0 };
    connections.set(socket, own);
    socket.once('close', () => release(own, own.bytes));
    return own;
  }

  return {
    begin: ({ socket, rawHeaders }) => {
      const own = connectionOf(socket);
      const bytes = own.requests === 0 ? 0 : bytesOf(rawHeaders);
      if (own.requests >= MAX_UNANSWERED || (bytes > 0 && !intake.take(bytes))) return null;
      own.requests += 1;
      own.bytes += bytes;
      return () => {
        own.requests -= 1;
        release(own, bytes);
      };
    },
  };
}

function bytesOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES);
}
