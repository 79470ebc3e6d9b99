import type { OutcomeCode } from '../contract/errors.ts';
import type { RunnerEventKind } from '../contract/events.ts';
import type { FoundEvent, Head, StoredEvent } from '../store/store.ts';

/** The last numbers below 2^53 are kept for the server's own events (the contract: 1,024 of them). */
export const LAST_PRODUCER_SEQ = Number.MAX_SAFE_INTEGER - 1_024;

/** An event as its producer numbered it; `data` is JSON text. */
export interface ProducedEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
}

/** What a producer asks to have appended. */
export interface ProducedBatch {
  readonly events: readonly ProducedEvent[];
  /** The producer's own number before this batch (-1: nothing sent yet); null when it does not say. */
  readonly previousSeq: number | null;
  /** The instance that claimed the run's job and now sends this; absent: whoever sends it claimed nothing. */
  readonly claimer?: string;
}

/** Why nothing of a batch was stored. */
export interface Rejection {
  readonly ok: false;
  readonly code: OutcomeCode;
  readonly message: string;
  /** The event that broke the rule; null when it is about the batch. */
  readonly eventIndex: number | null;
  /** With `seq_gap`: the producer's number that the run has last. */
  readonly expectedSeq: number | null;
}

/** What of a batch is new, ready to be stored, and where the log ends after it. */
export interface Judged {
  readonly ok: true;
  readonly fresh: readonly StoredEvent[];
  readonly duplicates: number;
  readonly head: Head;
}

/** Builds a rejection. */
export function reject(
  code: OutcomeCode,
  message: string,
  eventIndex: number | null = null,
  expectedSeq: number | null = null,
): Rejection {
  return { ok: false, code, message, eventIndex, expectedSeq };
}

/**
 * The contract's rules across batches, for one batch against the log that ends at `head`. `findStored` answers the
 * event that the log has under one of the producer's numbers; it is asked only about numbers up to the producer's
 * last. Rules (a) to (e) run event by event, first failure wins, and nothing of a rejected batch is stored.
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
  for (const [index, event] of batch.events.entries()) {
    const at = `events[${index}]`;
    const stored = event.seq <= head.lastSourceSeq ? findStored(event.seq) : undefined;
    if (stored) {
      if (sameContent(stored, event)) continue;
      return reject(
        'seq_conflict',
        `${at}: number ${event.seq} is stored already, with other content`,
        index,
      );
    }
    if (terminalSeq !== null) {
      return reject('run_terminated', `${at}: the run has ended and takes no more events`, index);
    }
    if (event.seq <= lastSourceSeq) {
      const message = `${at}.seq must be above ${lastSourceSeq}, the last one stored, got ${event.seq}`;
      return reject('seq_not_monotonic', message, index);
    }
    if (event.tMs < lastTMs) {
      const message = `${at}.tMs must not be below ${lastTMs}, the last one stored, got ${event.tMs}`;
      return reject('t_ms_not_monotonic', message, index);
    }
    if (fresh.length === 0 && batch.previousSeq !== null) {
      const before = batch.events[index - 1]?.seq ?? batch.previousSeq;
      if (before !== head.lastSourceSeq) {
        const message = `${at} should follow number ${head.lastSourceSeq}, the last one stored, not ${before}: send what is between`;
        return reject('seq_gap', message, index, head.lastSourceSeq);
      }
    }
    const seq = Math.max(event.seq, lastSeq + 1);
    if (seq > LAST_PRODUCER_SEQ) {
      return reject(
        'invalid_event',
        `${at}.seq must be at most ${LAST_PRODUCER_SEQ}, got ${event.seq}`,
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
 * The same for one event of the server's own. It takes the log's last `tMs`, never this machine's clock: a clock
 * that runs ahead must not make the producer's next event illegal.
 */
export function judgeOwnEvent(
  head: Head,
  event: Pick<ProducedEvent, 'kind' | 'data'>,
  committedAt: number,
): Judged | Rejection {
  if (head.terminalSeq !== null)
    return reject('run_terminated', 'the run has ended and takes no more events');
  const seq = head.lastSeq + 1;
  if (seq > Number.MAX_SAFE_INTEGER) return reject('invalid_event', 'the run has no numbers left');
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

/** A run with a job takes events from the instance that claimed it, a followed one from who follows, and no others. */
function judgeSender({ fence, terminalSeq }: Head, { claimer }: ProducedBatch): Rejection | null {
  if (fence === (claimer ?? null)) return null;
  if (terminalSeq !== null) return reject('run_terminated', 'the run has ended and takes no more events');
  return reject(
    'claim_refused',
    fence === null
      ? 'this run has no job, so no claim counts here'
      : 'the events of this run come from its job’s runner, with the token that claimJob answers, or from the server that follows its provider',
  );
}

function sameContent(stored: FoundEvent, event: ProducedEvent): boolean {
  return stored.tMs === event.tMs && stored.kind === event.kind && stored.data === event.data;
}
