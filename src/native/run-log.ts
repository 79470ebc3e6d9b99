import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import { RUNNER_EVENT_BATCH_MAX_EVENTS } from '../contract/events.ts';
import { withPatience } from '../feed/patience.ts';
import { Overloaded, ShuttingDown } from '../ingest/faults.ts';
import type { Accepted, Ingest } from '../ingest/ingest.ts';
import type { ProducedEvent, Rejection } from '../ingest/judge.ts';
import { createBackoff, pause } from '../lib/waiting/backoff.ts';
import type { NativeRunRecord } from '../store/native-runs.ts';
import type { Head, Store } from '../store/store.ts';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { ProviderFault } from './provider/fault.ts';
import type { NativeLimits } from './provider/limits.ts';
import type { End, LeavingReason } from './verdict.ts';

/** The log of a followed run. Writes return false once the log accepts no more events of this follower. */
export interface NativeLog {
  /** The log's head when it was opened. */
  readonly opened: Head;
  /**
   * Stores groups of an adapter's events in order, numbered from the last stored number on. A commit has up to
   * 256 events. Only a larger group is divided between commits.
   */
  append(groups: readonly (readonly RunnerEvent[])[]): Promise<boolean>;
  /**
   * Records transient trouble as a `stream_error`, at most once per `noteMs`. The server creates this event,
   * so it does not use a number of the adapter.
   */
  warn(fault: ProviderFault, attempt: number): Promise<boolean>;
  /** Ends the run with a terminal event that the server creates. `more` is added to its data. */
  end(end: End, more?: JsonObject): Promise<boolean>;
  /** Returns true if the run ended while this process followed it; false also if the store cannot tell. */
  hasEndedHere(): Promise<boolean>;
}

/** Options of {@link openNativeLog}. */
export interface NativeLogOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly limits: NativeLimits;
  /** The run's fence: the follower whose events the log accepts. */
  readonly owner: string;
  /** After it aborts, a pending write is retried only for `lastWordsMs`. */
  readonly signal: AbortSignal;
  /** Is called when the log turns out to accept no more events of this follower. */
  readonly leave: (reason: LeavingReason) => void;
}

/** Opens the log of a followed run. Throws if the run does not exist. */
export async function openNativeLog(record: NativeRunRecord, options: NativeLogOptions): Promise<NativeLog> {
  const { store, ingest, limits, owner, signal, leave } = options;
  const run = { key: record.run, workspace: record.workspace };
  const opened = await readHead();
  if (!opened) throw new Error(`run ${record.runId} is followed but does not exist`);
  let last = opened.lastSourceSeq;
  let notedAt = Number.NEGATIVE_INFINITY;

  /** Retries a write after transient faults. If the batch was stored after all, the retry is a duplicate. */
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
        throw new Error(`the log refused a followed event: ${verdict.code}: ${verdict.message}`);
      } catch (error) {
        if (error instanceof ShuttingDown) return false;
        if (!(error instanceof StoreUnavailable || error instanceof Overloaded)) throw error;
      }
      if (signal.aborted) leavingSince ??= performance.now();
      if (leavingSince !== null && performance.now() - leavingSince > limits.lastWordsMs) return false;
      // Not the run's signal: once that is aborted, there would be no pause.
      await pause(backoff.nextMs() + 1, AbortSignal.timeout(limits.lastWordsMs));
    }
  }

  async function appendOwn(kind: ProducedEvent['kind'], data: JsonObject): Promise<boolean> {
    const text = JSON.stringify({ ...data, at: new Date().toISOString() });
    return persistently(() => ingest.appendOwn(run, { kind, data: text, claimer: owner }));
  }

  async function readHead(): Promise<Head | undefined> {
    return (await store.readHeads([run.key])).get(run.key);
  }

  return {
    opened,
    append: async (groups) => {
      for (const events of commitsOf(groups)) {
        const batch = events.map(
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
    hasEndedHere: async () => {
      try {
        // Not the run's signal: that is aborted by now.
        const head = await withPatience(readHead, limits.lastWordsMs, new AbortController().signal);
        return head?.fence === owner && head.terminalSeq !== null;
      } catch (error) {
        if (error instanceof StoreUnavailable) return false;
        throw error;
      }
    },
  };
}

/** Divides groups between commits: at their borders, or inside of a group that exceeds a commit by itself. */
function* commitsOf(groups: readonly (readonly RunnerEvent[])[]): Generator<readonly RunnerEvent[]> {
  let commit: RunnerEvent[] = [];
  for (const group of groups) {
    if (commit.length > 0 && commit.length + group.length > RUNNER_EVENT_BATCH_MAX_EVENTS) {
      yield commit;
      commit = [];
    }
    for (const event of group) {
      if (commit.length === RUNNER_EVENT_BATCH_MAX_EVENTS) {
        yield commit;
        commit = [];
      }
      commit.push(event);
    }
  }
  if (commit.length > 0) yield commit;
}
