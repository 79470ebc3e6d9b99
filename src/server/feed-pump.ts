import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Reader } from '../feed/cursor.ts';
import type { SharedFeed } from '../graphql/shared-feed.ts';
import { cancellable } from '../lib/cancellable.ts';
import { messageStart, writeNextMessages } from './frames.ts';
import type { Load } from './load.ts';
import { writeAndFlush } from './unsent.ts';

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
  load: Pick<Load, 'unread' | 'waking'>,
): AsyncGenerator<never, void, undefined> {
  return cancellable(async function* (signal) {
    await writeFeed(feed, operationId, socket, stream, load, signal);
    yield* [];
  });
}

async function writeFeed(
  feed: SharedFeed,
  operationId: string,
  socket: WebSocket,
  stream: Socket,
  { unread, waking }: Pick<Load, 'unread' | 'waking'>,
  signal: AbortSignal,
): Promise<void> {
  const start = messageStart(operationId);
  const reader = await feed.open(signal);
  if (!reader) return;
  let sinceTurn = 0;
  /** What it takes stays in here: nothing but the socket holds it while that stalls. */
  function writePortion({ take }: Reader<readonly Buffer[]>): Promise<void> | null | 'nothing' {
    const payloads = take();
    if (!payloads) return 'nothing';
    sinceTurn += payloads.length;
    const flushed = writeAndFlush(stream, signal, (onTaken) =>
      writeNextMessages(stream, start, payloads, onTaken),
    );
    unread.note(stream);
    return flushed;
  }
  try {
    while (!reader.ended() && socket.readyState === socket.OPEN) {
      const flushed = writePortion(reader);
      if (flushed === 'nothing') {
        if (!reader.ended()) await reader.ready();
        // One event wakes all who follow a run, which may be thousands.
        const turn = waking.take(stream, 1);
        if (turn) await turn;
      } else if (flushed) await flushed;
      else if (sinceTurn >= TURN_MESSAGES) await nextTurn();
      else continue;
      sinceTurn = 0;
    }
  } finally {
    reader.close();
  }
}
