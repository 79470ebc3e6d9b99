import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Reader } from '../feed/cursor.ts';
import { isPassing, type ReportUnexpected } from '../graphql/faults.ts';
import type { SharedFeed } from '../graphql/shared-feed.ts';
import { writeFault } from './answers.ts';
import type { Load } from './load.ts';
import { writeAndFlush } from './unsent.ts';

/** A quiet stream shows by a comment that it is still there. */
const PING_MS = 12_000;
/** A payload that is bigger goes to the response by itself, uncopied. */
const COPY_LIMIT_BYTES = 16 * 1024;
/** Payloads after which others get their turn, even where the connection takes everything at once. */
const TURN_PAYLOADS = 64;

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
 * Answers a request with a feed's shared payloads as server-sent events. `complete` tells of the run's end; where the
 * feed ends for another reason the connection is cut, after the error if it is one that will not pass. Resolves when
 * the response has ended or been cut; the signal says that its client has left.
 */
export async function streamFeed(
  feed: SharedFeed,
  response: ServerResponse,
  signal: AbortSignal,
  report: ReportUnexpected,
  { unread, waking }: Pick<Load, 'unread' | 'waking'>,
): Promise<void> {
  // Writing to one that is gone would be an error that nobody hears.
  const { socket } = response;
  if (response.destroyed || !socket) return;
  response.writeHead(200, HEADERS);
  // Some browsers tell of a stream only once something has come.
  response.write(COMMENT);
  const pings = setInterval(() => {
    if (response.writableLength === 0 && !response.destroyed) response.write(COMMENT);
  }, PING_MS);
  let sinceTurn = 0;
  /** What it takes stays in here: nothing but the response holds it while that stalls. */
  function writePortion({ take }: Reader<readonly Buffer[]>): Promise<void> | null | 'nothing' {
    const payloads = take();
    if (!payloads) return 'nothing';
    sinceTurn += payloads.length;
    const flushed = writeAndFlush(response, signal, (onTaken) => writeEvents(response, payloads, onTaken));
    unread.note(socket!);
    return flushed;
  }
  let reader: Reader<readonly Buffer[]> | null = null;
  try {
    reader = await feed.open(signal);
    while (reader && !reader.ended() && !response.destroyed) {
      const flushed = writePortion(reader);
      if (flushed === 'nothing') {
        if (!reader.ended()) await reader.ready();
        const turn = waking.take(response, 1);
        if (turn) await turn;
      } else if (flushed) await flushed;
      else if (sinceTurn >= TURN_PAYLOADS) await nextTurn();
      else continue;
      sinceTurn = 0;
    }
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
    reader?.close();
    clearInterval(pings);
  }
}

/**
 * The payloads belong to all who follow: they are copied or handed over, never changed. `onTaken` is called when the
 * response has taken the last of them.
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
