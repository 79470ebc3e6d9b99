import type { RunnerEvent, RunnerEventKind } from '../contract/events.ts';
import { fieldOf, firstError, isPassing } from './refusals.ts';

/** An event as the server delivers it. */
export interface StreamedEvent extends RunnerEvent {
  /** The number that its producer gave it; null when the server itself added it. */
  readonly sourceSeq: number | null;
  /** ISO 8601. */
  readonly committedAt: string;
}

/** Events that retention has removed: none of these numbers will come any more. */
export interface StreamGap {
  readonly fromSeq: number;
  readonly toSeq: number;
}

/** What there is of a run after a cursor. */
export interface FeedBatch {
  readonly events: readonly StreamedEvent[];
  readonly cursor: number;
  readonly caughtUp: boolean;
  readonly ended: boolean;
  readonly gap: StreamGap | null;
}

/** What one connection asks for. */
export interface FeedRequest {
  readonly url: string;
  readonly runId: string;
  readonly after: number;
  readonly kinds: readonly RunnerEventKind[] | null;
  readonly authorization: string | null;
  readonly stalledAfterMs: number;
  readonly webSocketImpl: unknown;
  /** The server answers over this transport. */
  readonly onOpen: () => void;
}

/**
 * One connection: what comes after the cursor. Returns at the run's end, or when the signal aborts; throws
 * {@link StreamCut} or {@link StreamRefused}.
 */
export type Connect = (
  request: FeedRequest,
  signal: AbortSignal,
) => AsyncGenerator<FeedBatch, void, undefined>;

/** The connection is gone and the run goes on: come back by the cursor. */
export class StreamCut extends Error {
  override readonly name = 'StreamCut';
  /** The websocket's close code, such as 1012; null when there was none. */
  readonly closeCode: number | null;
  /** The HTTP status of an answer that was no stream, such as 502; null when there was none. */
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

/** The server refuses, and would again. */
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

/** The operation to send. */
export function feedOperation({ runId, after, kinds }: FeedRequest): {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
} {
  return { query: FEED, variables: { runId, after, kinds } };
}

/** The batch in one result of the operation; throws what the result says instead. */
export function batchOf(result: unknown): FeedBatch {
  refuse(result);
  const batch = fieldOf(fieldOf(result, 'data'), 'runEventBatches');
  if (!Array.isArray(fieldOf(batch, 'events'))) throw new StreamCut('a result without a batch');
  return batch as FeedBatch;
}

/** Throws the first error of an answer, if it has one: a refusal or, when it will pass, a cut. */
export function refuse(answer: unknown): void {
  const error = firstError(answer);
  if (!error) return;
  if (error.code === null || isPassing(error.code)) throw new StreamCut(error.message);
  throw new StreamRefused(error.message, error.code);
}
