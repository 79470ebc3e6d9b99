import type { ServerResponse } from 'node:http';
import { isPassing, type ReportUnexpected } from '../../graphql/errors/faults.ts';
import type { SharedFeed } from '../../graphql/feed/shared.ts';
import type { Load } from '../load/load.ts';
import { writeAndFlush } from '../load/unsent.ts';
import { writeFault } from '../operations/answers.ts';
import { pump } from '../operations/pump.ts';

/** Interval between comments that show that a quiet stream is still alive. */
const PING_MS = 12_000;
/** Larger payloads are written to the response separately, without a copy. */
const COPY_LIMIT_BYTES = 16 * 1024;

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'content-encoding': 'none',
};
const COMMENT = ':\n\n';
const NEXT = Buffer.from('event: next\ndata: ');
const EVENT_END = Buffer.from('\n\n');
const COMPLETE = 'event: complete\ndata:\n\n';

/**
 * Answers a request with a feed's shared payloads as server-sent events. `complete` marks the end of the run.
 * If the feed ends for another reason the connection is cut, after sending the error if it is permanent.
 * Resolves when the response has ended or been cut. `signal` aborts when the client disconnects.
 */
export async function streamFeed(
  feed: SharedFeed,
  response: ServerResponse,
  signal: AbortSignal,
  report: ReportUnexpected,
  load: Pick<Load, 'unread' | 'waking'>,
): Promise<void> {
  // Writing to a closed response would raise an error that nothing handles.
  const { socket } = response;
  if (response.destroyed || !socket) return;
  response.writeHead(200, HEADERS);
  // Some browsers do not expose a stream until its first byte arrives.
  response.write(COMMENT);
  const pings = setInterval(() => {
    if (response.writableLength === 0 && !response.destroyed) response.write(COMMENT);
  }, PING_MS);
  const sink = {
    owner: response,
    isOpen: () => !response.destroyed && !socket.destroyed,
    write: (payloads: readonly Buffer[]) => {
      const taken = writeAndFlush(response, signal, (onTaken) => writeEvents(response, payloads, onTaken));
      load.unread.note(socket);
      return taken;
    },
  };
  try {
    const reader = await feed.open(signal);
    if (reader) await pump(reader, sink, load);
    if (!signal.aborted && !response.destroyed) response.end(COMPLETE);
  } catch (error) {
    if (!isPassing(error) && !response.destroyed) {
      const last = JSON.stringify({ errors: [writeFault(error, report)] });
      await new Promise<void>((resolve) => {
        response.once('close', resolve);
        response.write(`event: next\ndata: ${last}\n\n`, () => resolve());
      });
    }
    response.destroy();
  } finally {
    clearInterval(pings);
  }
}

/**
 * Writes payloads as events. All subscribers share the payloads, so they are copied or passed on, never
 * changed. `onTaken` is called when the response has taken the last one.
 */
function writeEvents(response: ServerResponse, payloads: readonly Buffer[], onTaken: () => void): void {
  response.cork();
  let small: Buffer[] = [];
  for (const payload of payloads) {
    small.push(NEXT);
    if (payload.length > COPY_LIMIT_BYTES) {
      response.write(Buffer.concat(small));
      response.write(payload);
      small = [];
    } else small.push(payload);
    small.push(EVENT_END);
  }
  response.write(Buffer.concat(small), onTaken);
  response.uncork();
}
