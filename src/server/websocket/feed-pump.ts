import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { SharedFeed } from '../../graphql/feed/shared.ts';
import type { Results } from '../../graphql/operations/subscription.ts';
import { cancellableWork } from '../../lib/cancellable.ts';
import type { Load } from '../load/load.ts';
import { writeAndFlush } from '../load/unsent.ts';
import { pump, type Sink } from '../operations/pump.ts';
import { messageStart, writeNextMessages } from './frames.ts';

/**
 * Writes a feed's shared payloads to one websocket operation and ends when the feed does. graphql-ws sees a
 * subscription that yields no results: its first `next()` sends all payloads.
 */
export function pumpFeed(
  feed: SharedFeed,
  operationId: string,
  socket: WebSocket,
  stream: Socket,
  load: Pick<Load, 'unread' | 'waking'>,
): Results {
  const start = messageStart(operationId);
  // The promise keeps only the pump alive: the feed and its request are dropped once the reader is open.
  return cancellableWork((signal) =>
    feed
      .open(signal)
      .then((reader) =>
        reader ? pump(reader, socketSink(socket, stream, start, load.unread, signal), load) : undefined,
      ),
  );
}

function socketSink(
  socket: WebSocket,
  stream: Socket,
  start: Buffer,
  unread: Load['unread'],
  signal: AbortSignal,
): Sink {
  return {
    owner: stream,
    // ws notices a destroyed stream only later.
    isOpen: () => socket.readyState === socket.OPEN && !stream.destroyed,
    write: (payloads) => {
      const taken = writeAndFlush(stream, signal, (onTaken) =>
        writeNextMessages(stream, start, payloads, onTaken),
      );
      unread.note(stream);
      return taken;
    },
  };
}
