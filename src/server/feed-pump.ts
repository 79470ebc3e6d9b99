import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { SharedFeed } from '../graphql/shared-feed.ts';
import { cancellable } from '../lib/cancellable.ts';
import { messageStart, writeNextMessages } from './frames.ts';
import { drained } from './unsent.ts';

/**
 * Writes a feed's shared payloads to one websocket operation, and ends when the feed does. To graphql-ws it is a
 * subscription without results of its own: asked for its first, it sends them all. It reads on only when the socket
 * has taken what it was given, so a stalled one holds a portion and its cursor.
 */
export function pumpFeed(
  feed: SharedFeed,
  operationId: string,
  socket: WebSocket,
  stream: Socket,
): AsyncGenerator<never, void, undefined> {
  return cancellable(async function* (signal) {
    const start = messageStart(operationId);
    for await (const payloads of feed.payloads(signal)) {
      if (socket.readyState !== socket.OPEN) return;
      writeNextMessages(stream, start, payloads);
      if (stream.writableNeedDrain) await drained(stream, signal);
      // One of many messages is probably followed by more: others get their turn in between.
      else if (payloads.length > 1) await nextTurn();
    }
    yield* [];
  });
}
