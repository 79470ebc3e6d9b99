import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import { RUNNER_EVENT_BATCH_MAX_EVENTS } from '../contract/events.ts';
import { Overloaded, ShuttingDown } from '../ingest/faults.ts';
import type { Accepted, Ingest } from '../ingest/ingest.ts';
import type { ProducedEvent, Rejection } from '../ingest/judge.ts';
import { createBackoff, pause } from '../lib/backoff.ts';
import type { NativeRunRecord } from '../store/native-runs.ts';
import { type Head, type Store, StoreUnavailable } from '../store/store.ts';
import type { NativeLimits } from './limits.ts';
import type { ProviderFault } from './provider-fault.ts';
import type { End, LeavingReason } from './verdict.ts';

/** The log of a followed run, as its follower writes it. Every write answers false once the log takes no more from it. */
export interface NativeLog {
  /** Where the log stood when it was opened. */
  readonly opened: Head;
  /**
   * Stores what an adapter made, in its order and under the numbers that follow the last one stored. What one call
   * brings is stored together, up to 256 events.
   */
  append(events: readonly RunnerEvent[]): Promise<boolean>;
  /** Tells of trouble that may pass, now and then. It is the server's own event: it takes no number of the adapter's. */
  warn(fault: ProviderFault, attempt: number): Promise<boolean>;
  /** Ends the run with a terminal event of the server's own. */
  end(end: End, more?: JsonObject): Promise<boolean>;
}

/** What writing needs. */
export interface NativeLogOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly limits: NativeLimits;
  /** Whose events the log takes. */
  readonly owner: string;
  /** When it aborts, what is being written is tried for a moment longer and no more. */
  readonly signal: AbortSignal;
  /** Is told when the log turns out to take no more from here. */
  readonly leave: (reason: LeavingReason) => void;
}

/** Opens the log of a run. */
export async function openNativeLog(record: NativeRunRecord, options: NativeLogOptions): Promise<NativeLog> {
  const { store, ingest, limits, owner, signal, leave } = options;
  const run = { key: record.run, workspace: record.workspace };
  const opened = (await store.readHeads([run.key])).get(run.key);
  if (!opened) throw new Error(`run ${record.runId} is followed and is not there`);
  let last = opened.lastSourceSeq;
  let notedAt = Number.NEGATIVE_INFINITY;

  /** The same batch may be sent again after a passing fault: if it was stored after all, it is a duplicate. */
  async function persistently(write: () => Promise<Accepted | Rejection>): Promise<boolean> {
    const backoff = createBackoff();
    let leavingSince: number | null = null;
    for (;;) {
      try {
        const verdict = await write();
        if (verdict.ok) return true;
        if (verdict.code === 'run_terminated' || verdict.code === 'claim_refused') {
          leave(verdict.code === 'run_terminated' ? 'run_ended' : 'lost');
          return false;
        }
        throw new Error(`the log refused what was followed: ${verdict.code}: ${verdict.message}`);
      } catch (error) {
        if (error instanceof ShuttingDown) return false;
        if (!(error instanceof StoreUnavailable || error instanceof Overloaded)) throw error;
      }
      if (signal.aborted) leavingSince ??= performance.now();
      if (leavingSince !== null && performance.now() - leavingSince > limits.lastWordsMs) return false;
      // Not the signal of the run: with that one aborted there would be no pause.
      await pause(backoff.nextMs() + 1, AbortSignal.timeout(limits.lastWordsMs));
    }
  }

  async function appendOwn(kind: ProducedEvent['kind'], data: JsonObject): Promise<boolean> {
    const text = JSON.stringify({ ...data, at: new Date().toISOString() });
    // The server's own events are not fenced, so whoever lost the run must find that out first.
    const mine = await store.nativeRuns
      .renew({ owner, leaseMs: limits.leaseMs }, [run.key])
      .catch(() => new Set([run.key]));
    return mine.has(run.key) && persistently(() => ingest.appendOwn(run, { kind, data: text }));
  }

  return {
    opened,
    append: async (events) => {
      for (let from = 0; from < events.length; from += RUNNER_EVENT_BATCH_MAX_EVENTS) {
        const batch = events.slice(from, from + RUNNER_EVENT_BATCH_MAX_EVENTS).map(
          ({ tMs, kind, data }, index): ProducedEvent => ({
            seq: last + 1 + index,
            tMs,
            kind,
            data: JSON.stringify(data),
          }),
        );
        const previousSeq = last;
        if (!(await persistently(() => ingest.append(run, { events: batch, previousSeq, claimer: owner }))))
          return false;
        last += batch.length;
      }
      return true;
    },
    warn: async ({ message, ...fault }, attempt) => {
      const now = performance.now();
      if (now - notedAt < limits.noteMs) return true;
      notedAt = now;
      return appendOwn('stream_error', { message, ...fault, retrying: true, attempt });
    },
    end: ({ outcome, reason }, more = {}) => appendOwn('runtime_terminal', { outcome, reason, ...more }),
  };
}
