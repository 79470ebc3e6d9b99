import { type Leaving, leaveWith } from '../../lib/waiting/leaving.ts';
import { textWithin } from '../request/answer.ts';
import { parsed, UNAUTHENTICATED } from '../request/refusals.ts';
import { createEventStreamParser } from './event-stream.ts';
import {
  batchOf,
  type Connect,
  type FeedRequest,
  feedOperation,
  refuse,
  StreamCut,
  StreamRefused,
} from './feed.ts';

const UNAUTHORIZED = 401;

/** Follows a run over server-sent events. Backpressure applies: unread events stay with the server. */
export const overSse: Connect = async function* (request, signal) {
  const leaving = leaveWith(signal);
  try {
    yield* read(request, leaving);
  } catch (cause) {
    if (signal.aborted) return;
    if (cause instanceof StreamCut || cause instanceof StreamRefused) throw cause;
    const why = cause instanceof RangeError ? cause.message : String(cause);
    throw new StreamCut(`the event stream was cut: ${why}`, null, { cause });
  } finally {
    leaving.release();
    leaving.leave();
  }
};

async function* read(request: FeedRequest, leaving: Leaving) {
  const response = await patiently(request, leaving, open(request, leaving.signal));
  const body = await patiently(request, leaving, streamOf(response));
  request.onOpen();
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parse = createEventStreamParser();
  for (;;) {
    const { done, value } = await patiently(request, leaving, reader.read());
    if (done) throw new StreamCut('the event stream ended before the run did');
    for (const { event, data } of parse(decoder.decode(value, { stream: true }))) {
      if (event === 'complete') return;
      if (event === 'next') yield batchOf(JSON.parse(data));
    }
  }
}

function open(request: FeedRequest, signal: AbortSignal): Promise<Response> {
  const { url, authorization, fetchImpl = fetch } = request;
  return fetchImpl(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(authorization !== null && { authorization }),
    },
    body: JSON.stringify(feedOperation(request)),
    signal,
  });
}

/** Returns the body if it is an event stream, else throws the server's error. */
async function streamOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (response.ok && isStream && response.body) return response.body;
  const words = `expected an event stream but received HTTP ${response.status}`;
  if (response.status === UNAUTHORIZED) throw new StreamRefused(words, UNAUTHENTICATED);
  refuse(parsed(await textWithin(response).catch(() => '')), response.status);
  throw new StreamCut(words, null, { status: response.status });
}

/** Cuts the connection if it is silent for too long: an idle server sends comments. */
async function patiently<Value>(
  { stalledAfterMs }: FeedRequest,
  leaving: Leaving,
  coming: Promise<Value>,
): Promise<Value> {
  const stalled = setTimeout(
    () => leaving.leave(new StreamCut('the event stream was silent for too long')),
    stalledAfterMs,
  );
  try {
    return await coming;
  } finally {
    clearTimeout(stalled);
  }
}
