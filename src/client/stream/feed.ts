import type { RunnerEvent, RunnerEventKind } from '../../contract/events.ts';
import type { FetchLike } from '../request/answer.ts';
import { codeFor, fieldOf, firstError, hasFields, isPassing } from '../request/refusals.ts';

/** An event as the server delivers it. */
export interface StreamedEvent extends RunnerEvent {
  /** The producer's own number for the event. Null if the server created the event. */
  readonly sourceSeq: number | null;
  /** When the server stored the event, in ISO 8601. */
  readonly committedAt: string;
}

/** A range of events that retention has removed, both ends included. None of them will be delivered. */
export interface StreamGap {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** A batch of a run's events after a cursor. */
export interface FeedBatch {
  readonly events: readonly StreamedEvent[];
  readonly cursor: number;
  readonly caughtUp: boolean;
  readonly ended: boolean;
  readonly gap: StreamGap | null;
}

/** What one connection requests. */
export interface FeedRequest {
  readonly url: string;
  readonly runId: string;
  readonly after: number;
  readonly kinds: readonly RunnerEventKind[] | null;
  readonly authorization: string | null;
  readonly stalledAfterMs: number;
  readonly webSocketImpl: unknown;
  readonly fetchImpl: FetchLike | undefined;
  /** Called when the server answers over this transport. */
  readonly onOpen: () => void;
}

/**
 * Opens one connection and yields the batches after the cursor. Returns at the run's end, or if the signal
 * aborts; throws {@link StreamCut} or {@link StreamRefused}.
 */
export type Connect = (
  request: FeedRequest,
  signal: AbortSignal,
) => AsyncGenerator<FeedBatch, void, undefined>;

/** The connection was lost before the run's end. Reconnect with the cursor. */
export class StreamCut extends Error {
  override readonly name = 'StreamCut';
  /** The websocket's close code, such as 1012. Null if there was none. */
  readonly closeCode: number | null;
  /** The HTTP status of an answer that was not a stream, such as 502. Null if there was none. */
  readonly status: number | null;
  constructor(
    message: string,
    closeCode: number | null = null,
    { status = null, ...options }: ErrorOptions & { readonly status?: number | null } = {},
  ) {
    super(message, options);
    this.closeCode = closeCode;
    this.status = status;
  }
}

/** The server refused the request and would refuse it again. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
  /** Why, such as `unknown_run`, `BAD_USER_INPUT` or `UNAUTHENTICATED`. */
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

const FEED = `subscription ($runId: ID!, $after: SafeInt, $kinds: [RunnerEventKind!]) {
  runEventBatches(runId: $runId, after: $after, kinds: $kinds) {
    events { seq tMs kind data sourceSeq committedAt } cursor caughtUp ended gap { fromSeq toSeq }
  }
}`;

/** The GraphQL operation of a request. */
export function feedOperation({ runId, after, kinds }: FeedRequest): {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
} {
  return { query: FEED, variables: { runId, after, kinds } };
}

/** Returns the batch in a result of the operation. Throws a cut or a refusal if the result has no batch. */
export function batchOf(result: unknown): FeedBatch {
  refuse(result);
  const batch = fieldOf(fieldOf(result, 'data'), 'runEventBatches');
  const events = fieldOf(batch, 'events');
  const gap = fieldOf(batch, 'gap') ?? null;
  const isBatch = Array.isArray(events) && events.every(isEvent) && hasFields(batch, { cursor: 'number' });
  const isGap = gap === null || hasFields(gap, { fromSeq: 'number', toSeq: 'number' });
  if (!isBatch || !isGap) throw new StreamCut('received a result without a batch');
  return batch as FeedBatch;
}

function isEvent(value: unknown): value is StreamedEvent {
  const data = fieldOf(value, 'data');
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
  return isObject && hasFields(value, { seq: 'number', tMs: 'number', kind: 'string' });
}

/**
 * Throws the first error of an answer, if any: a cut if the error is temporary, else a refusal. Over a websocket there
 * is no status.
 */
export function refuse(answer: unknown, status = 200): void {
  const error = firstError(answer);
  if (!error) return;
  const code = codeFor(status, error.code);
  if (code === null || isPassing(code)) throw new StreamCut(error.message);
  throw new StreamRefused(error.message, code);
}
