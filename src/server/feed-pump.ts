import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { SharedFeed } from '../graphql/shared-feed.ts';
import { cancellable } from '../lib/cancellable.ts';
import { messageStart, writeNextMessages } from './frames.ts';
import { drained } from './unsent.ts';

/** Messages of one operation after which others get their turn, even where the socket takes everything at once. */
const TURN_MESSAGES = 64;

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
    await writeFeed(feed, operationId, socket, stream, signal);
    yield* [];
  });
}

async function writeFeed(
  feed: SharedFeed,
  operationId: string,
  socket: WebSocket,
  stream: Socket,
  signal: AbortSignal,
): Promise<void> {
  const start = messageStart(operationId);
  const reader = await feed.open(signal);
  if (!reader) return;
  try {
    let sinceTurn = 0;
    while (!reader.ended()) {
      const payloads = reader.take();
      if (!payloads) {
        if (!reader.ended()) await reader.ready();
        continue;
      }
      // Another operation of this socket may have filled it meanwhile: they wait for room one after another.
      while (stream.writableNeedDrain && !stream.destroyed && !signal.aborted) await drained(stream, signal);
      if (socket.readyState !== socket.OPEN || signal.aborted) return;
      writeNextMessages(stream, start, payloads);
      sinceTurn += payloads.length;
      if (stream.writableNeedDrain) await drained(stream, signal);
      // One of many messages is probably followed by more.
      else if (payloads.length > 1 || sinceTurn >= TURN_MESSAGES) await nextTurn();
      else continue;
      sinceTurn = 0;
    }
  } finally {
    reader.close();
  }
}
