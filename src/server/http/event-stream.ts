import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import { isPassing, type ReportUnexpected } from '../../graphql/errors/faults.ts';
import type { Subscription } from '../../graphql/operations/subscription.ts';
import type { Load } from '../load/load.ts';
import { writeAndFlush } from '../load/unsent.ts';
import { withinLength, withoutStatuses, writeFault } from '../operations/answers.ts';
import { pump } from '../operations/pump.ts';
import { NO_SNIFFING } from './respond.ts';

/** Interval between comments that show that a quiet stream is still alive. */
const PING_MS = 12_000;
/** Larger payloads are written to the response separately, without a copy. */
const COPY_LIMIT_BYTES = 16 * 1024;

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'content-encoding': 'none',
  ...NO_SNIFFING,
};
const COMMENT = ':\n\n';
const NEXT = Buffer.from('event: next\ndata: ');
const EVENT_END = Buffer.from('\n\n');
const COMPLETE = 'event: complete\ndata:\n\n';

/** A subscription over HTTP, and what its stream needs. */
export interface EventStreamOptions {
  readonly response: ServerResponse;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  readonly report: ReportUnexpected;
  readonly load: Pick<Load, 'unread' | 'waking'>;
}

/**
 * Answers a request with a subscription as server-sent events. `complete` marks the end of the run: a stream that ends
 * for another reason ends without it, after the error if that is permanent, and else is cut. Resolves when the response
 * has ended or been cut, or the client has disconnected.
 */
export async function sendEventStream(
  subscription: Subscription,
  options: EventStreamOptions,
): Promise<void> {
  const { response, signal, report } = options;
  // Writing to a closed response would raise an error that nothing handles.
  const { socket } = response;
  if (response.destroyed || signal.aborted || !socket) {
    if (subscription.kind === 'results') await subscription.results.return();
    return;
  }
  response.writeHead(200, HEADERS);
  // Some browsers do not expose a stream until its first byte arrives.
  response.write(COMMENT);
  const pings = setInterval(() => {
    if (response.writableLength === 0 && !response.destroyed) response.write(COMMENT);
  }, PING_MS);
  try {
    if (subscription.kind === 'refused') response.end(resultOf({ errors: subscription.errors }));
    else if (await isCompleted(subscription, options, socket)) response.end(COMPLETE);
    else response.destroy();
  } catch (error) {
    if (isPassing(error) || response.destroyed) response.destroy();
    else response.end(resultOf({ errors: [writeFault(error, report)] }));
  } finally {
    clearInterval(pings);
    if (signal.aborted) response.destroy();
  }
}

/** Writes a subscription's results. Returns true if it has come to its end. */
async function isCompleted(
  subscription: Exclude<Subscription, { kind: 'refused' }>,
  { response, signal, load }: EventStreamOptions,
  socket: Socket,
): Promise<boolean> {
  const isOpen = () => !response.destroyed && !socket.destroyed;
  const write = (payloads: readonly Buffer[]) => {
    const taken = writeAndFlush(response, signal, (onTaken) => writeEvents(response, payloads, onTaken));
    load.unread.note(socket);
    return taken;
  };
  switch (subscription.kind) {
    case 'shared': {
      const reader = await subscription.feed.open(signal);
      if (reader) await pump(reader, { owner: response, isOpen, write }, load);
      break;
    }
    case 'results': {
      const { results } = subscription;
      const leave = () => void results.return().catch(() => {});
      signal.addEventListener('abort', leave, { once: true });
      for await (const result of results) {
        if (!isOpen()) break;
        const text = JSON.stringify(withoutStatuses(withinLength(result)));
        await write([Buffer.from(text)]);
      }
      break;
    }
  }
  return !signal.aborted && isOpen();
}

/** A result as an event. */
function resultOf(result: ExecutionResult): string {
  return `event: next\ndata: ${JSON.stringify(withoutStatuses(result))}\n\n`;
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
