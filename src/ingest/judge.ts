import type { OutcomeCode } from '../contract/errors.ts';
import type { RunnerEventKind } from '../contract/events.ts';
import type { FoundEvent, Head, StoredEvent } from '../store/store.ts';

/** The last number for producers. The contract reserves the 1,024 numbers after it, below 2^53. */
export const LAST_PRODUCER_SEQ = Number.MAX_SAFE_INTEGER - 1_024;

/** An event with its producer's number; `data` is JSON text. */
export interface ProducedEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
}

/** A batch of events that a producer wants to append. */
export interface ProducedBatch {
  readonly events: readonly ProducedEvent[];
  /** The producer's last number before this batch (-1: none yet). Null if the producer did not give it. */
  readonly previousSeq: number | null;
  /** The instance that claimed the job and sends this batch. Absent if the sender has claimed no job. */
  readonly claimer?: string;
}

/** An event that the server itself adds. */
export interface OwnEvent extends Pick<ProducedEvent, 'kind' | 'data'> {
  /** The process that follows the run: no event of a former follower gets in. Absent if any process may add it. */
  readonly claimer?: string;
}

/** The reason for refusing a batch. Nothing of the batch was stored. */
export interface Rejection {
  readonly ok: false;
  readonly code: OutcomeCode;
  readonly message: string;
  /** The index of the event that broke the rule; null if the reason concerns the whole batch. */
  readonly eventIndex: number | null;
  /** With `seq_gap`: the last producer's number that the run has stored. */
  readonly expectedSeq: number | null;
}

/** The new events of an accepted batch, ready to be stored, and the head of the log after them. */
export interface Judged {
  readonly ok: true;
  readonly fresh: readonly StoredEvent[];
  readonly duplicates: number;
  readonly head: Head;
}

/** Creates a rejection. `eventIndex` and `expectedSeq` default to null. */
export function reject(
  code: OutcomeCode,
  message: string,
  eventIndex: number | null = null,
  expectedSeq: number | null = null,
): Rejection {
  return { ok: false, code, message, eventIndex, expectedSeq };
}

/**
 * Applies the contract's rules across batches to one batch and the log that ends at `head`. `findStored`
 * returns the stored event with a producer's number; it is called only for numbers up to the producer's last.
 * Rules (a) to (e) are checked event by event, the first failure wins, and nothing of a rejected batch is
 * stored.
 */
export function judgeBatch(
  head: Head,
  batch: ProducedBatch,
  findStored: (sourceSeq: number) => FoundEvent | undefined,
  committedAt: number,
): Judged | Rejection {
  const outsider = judgeSender(head, batch);
  if (outsider) return outsider;
  const fresh: StoredEvent[] = [];
  let { lastSeq, lastSourceSeq, lastTMs, terminalSeq, dataBytes } = head;
  let index = -1;
  for (const event of batch.events) {
    index += 1;
    const stored = event.seq <= head.lastSourceSeq ? findStored(event.seq) : undefined;
    if (stored) {
      if (sameContent(stored, event)) continue;
      return reject(
        'seq_conflict',
        `events[${index}]: number ${event.seq} is already stored with different content`,
        index,
      );
    }
    if (terminalSeq !== null) {
      return reject('run_terminated', `events[${index}]: the run has ended and takes no more events`, index);
    }
    if (event.seq <= lastSourceSeq) {
      const message = `events[${index}].seq must be greater than ${lastSourceSeq}, the last stored number, got ${event.seq}`;
      return reject('seq_not_monotonic', message, index);
    }
    if (event.tMs < lastTMs) {
      const message = `events[${index}].tMs must not be less than ${lastTMs}, the last stored time, got ${event.tMs}`;
      return reject('t_ms_not_monotonic', message, index);
    }
    if (fresh.length === 0 && batch.previousSeq !== null) {
      const before = batch.events[index - 1]?.seq ?? batch.previousSeq;
      if (before !== head.lastSourceSeq) {
        const message =
          `events[${index}] follows number ${before}, but the last stored number is ${head.lastSourceSeq}: ` +
          'send the missing events first';
        return reject('seq_gap', message, index, head.lastSourceSeq);
      }
    }
    const seq = Math.max(event.seq, lastSeq + 1);
    if (seq > LAST_PRODUCER_SEQ) {
      return reject(
        'invalid_event',
        `events[${index}].seq must be at most ${LAST_PRODUCER_SEQ}, got ${event.seq}`,
        index,
      );
    }
    fresh.push({
      seq,
      sourceSeq: event.seq,
      tMs: event.tMs,
      kind: event.kind,
      data: event.data,
      committedAt,
    });
    lastSeq = seq;
    lastSourceSeq = event.seq;
    lastTMs = event.tMs;
    dataBytes += Buffer.byteLength(event.data);
    if (event.kind === 'runtime_terminal') terminalSeq = seq;
  }
  const eventCount = head.eventCount + fresh.length;
  return {
    ok: true,
    fresh,
    duplicates: batch.events.length - fresh.length,
    head: { ...head, lastSeq, lastSourceSeq, lastTMs, eventCount, dataBytes, terminalSeq },
  };
}

/**
 * Applies the same rules to one event that the server adds. The event takes the log's last `tMs`, never this
 * machine's clock: a clock that runs ahead must not make the producer's next event illegal.
 */
export function judgeOwnEvent(head: Head, event: OwnEvent, committedAt: number): Judged | Rejection {
  const outsider = event.claimer === undefined ? null : judgeSender(head, event);
  if (outsider) return outsider;
  if (head.terminalSeq !== null)
    return reject('run_terminated', 'the run has ended and takes no more events');
  const seq = head.lastSeq + 1;
  if (seq > Number.MAX_SAFE_INTEGER)
    return reject('invalid_event', 'the run has no numbers left: create a new run');
  return {
    ok: true,
    fresh: [{ seq, sourceSeq: null, tMs: head.lastTMs, kind: event.kind, data: event.data, committedAt }],
    duplicates: 0,
    head: {
      ...head,
      lastSeq: seq,
      eventCount: head.eventCount + 1,
      serverEvents: head.serverEvents + 1,
      dataBytes: head.dataBytes + Buffer.byteLength(event.data),
      terminalSeq: event.kind === 'runtime_terminal' ? seq : null,
    },
  };
}

/**
 * A run with a job accepts events only from the instance that claimed the job, and a native run only from the
 * server that follows its provider.
 */
function judgeSender(
  { fence, terminalSeq }: Head,
  { claimer }: Pick<ProducedBatch, 'claimer'>,
): Rejection | null {
  if (fence === (claimer ?? null)) return null;
  if (terminalSeq !== null) return reject('run_terminated', 'the run has ended and takes no more events');
  return reject(
    'claim_refused',
    fence === null
      ? 'this run has no job: send its events without the token of a claim'
      : 'only the runner that claimed this run’s job (with the token from claimJob), or the server that follows ' +
          'its provider, may send its events',
  );
}

function sameContent(stored: FoundEvent, event: ProducedEvent): boolean {
  return stored.tMs === event.tMs && stored.kind === event.kind && stored.data === event.data;
}
