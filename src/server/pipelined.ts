import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Intake } from './intake.ts';
import { countAnswered, unansweredOf } from './upgrade-request.ts';

/** What a request takes beside the text of its headers: 1 to 2 KB, and each header its share. */
const REQUEST_BYTES = 2_048;
const HEADER_BYTES = 64;

/**
 * Counts the bytes of requests that a connection sends without waiting for answers (RFC 9112, section 9.3.2). Behind a
 * stream without an end they would fill the heap. Their number is bounded where they are parsed.
 */
export interface Pipelined {
  /** Counts a request; returns what is to be called when its answer is written. Null: there is no room for it. */
  begin(request: IncomingMessage): (() => void) | null;
}

/** Bytes of one connection that the intake counts. */
interface Held {
  bytes: number;
}

/** Creates the count of one server's connections. Requests that wait behind another one are counted by `intake`. */
export function createPipelined(intake: Intake): Pipelined {
  const connections = new WeakMap<Socket, Held>();

  function release(own: Held, bytes: number): void {
    // Once the connection is closed, all of its bytes are given back.
    const given = Math.min(own.bytes, bytes);
    own.bytes -= given;
    intake.give(given);
  }

  function connectionOf(socket: Socket): Held {
    const known = connections.get(socket);
    if (known) return known;
    const own = { bytes: 0 };
    connections.set(socket, own);
    socket.once('close', () => release(own, own.bytes));
    return own;
  }

  return {
    begin: ({ socket, rawHeaders }) => {
      const own = connectionOf(socket);
      const bytes = unansweredOf(socket) <= 1 ? 0 : bytesOf(rawHeaders);
      if (bytes > 0 && !intake.take(bytes)) return null;
      own.bytes += bytes;
      return () => {
        countAnswered(socket);
        release(own, bytes);
      };
    },
  };
}

function bytesOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES);
}
