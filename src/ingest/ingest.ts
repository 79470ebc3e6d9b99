import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { RunKey } from '../store/run-keys.ts';
import type { Head, Store } from '../store/store.ts';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { Wake, WakeupPlane } from '../wakeups/plane.ts';
import { tellCommitted } from './committed.ts';
import { Overloaded, ShuttingDown } from './faults.ts';
import type { Judged, OwnEvent, ProducedBatch, Rejection } from './judge.ts';
import { judgeRun, type RunVerdicts } from './judge-run.ts';
import { RUN_SIZE_LIMITS, type RunSizeLimits } from './run-size.ts';
import type { Submission } from './submission.ts';

/** The result of an accepted batch, which is now durable. */
export interface Accepted {
  readonly ok: true;
  readonly accepted: number;
  readonly duplicates: number;
  /** The head of the log after the batch. */
  readonly head: Head;
}

/** The limits of ingest. */
export interface IngestLimits extends RunSizeLimits {
  /** Bytes of all events that may wait. Above this, batches get {@link Overloaded}. Default 64 MiB. */
  readonly maxWaitingBytes: number;
  /** A commit that has reached this number of bytes takes no further batch. Default 4 MiB. */
  readonly maxCommitBytes: number;
  /** How long a batch may lose races to other processes before it gets {@link Overloaded}. Default 10 s. */
  readonly maxContentionMs: number;
  /** The maximum of the random pause after a lost race. Default 4 ms; 0 disables the pause. */
  readonly maxRetryPauseMs: number;
  /** Number of cached heads. Default 10,000. Must not be below the number of batches in a commit. */
  readonly rememberedHeads: number;
}

export const INGEST_LIMITS: IngestLimits = {
  maxWaitingBytes: 64 * 1024 * 1024,
  maxCommitBytes: 4 * 1024 * 1024,
  maxContentionMs: 10_000,
  maxRetryPauseMs: 4,
  rememberedHeads: 10_000,
  ...RUN_SIZE_LIMITS,
};

/** Appends events to runs; there is no other way to do so. */
export interface Ingest {
  /**
   * Appends a producer's batch as a whole or not at all, and resolves once it is durable. Rejects with
   * {@link Overloaded}, {@link ShuttingDown} or `StoreUnavailable`; after each of these the same batch may be
   * sent again.
   */
  append(run: RunKey, batch: ProducedBatch): Promise<Accepted | Rejection>;
  /** Appends an event that the server itself adds, by the same rules. */
  appendOwn(run: RunKey, event: OwnEvent): Promise<Accepted | Rejection>;
  /** Refuses new batches, and resolves when every waiting batch has its answer. */
  close(): Promise<void>;
}

/** The approximate memory of an event in addition to its data. */
const EVENT_OVERHEAD_BYTES = 200;
/** Far below `rememberedHeads`, so that no head is evicted while the groups that need it are judged. */
const MAX_COMMIT_BATCHES = 1_024;
/** Judging is synchronous, and possible duplicates are looked up one by one: about 5 µs each. */
const MAX_COMMIT_EVENTS = 8_192;
/** One for the store to work on, and one that is ready when the store has finished. */
const MAX_GROUPS = 2;

function byteLength(work: Submission['work']): number {
  const events = 'events' in work ? work.events : [work];
  return events.reduce((sum, event) => sum + event.data.length + EVENT_OVERHEAD_BYTES, 0);
}

/**
 * Creates an ingest that judges and stores batches in groups: many runs, one statement, one fsync. If no
 * commit is in progress, a batch is committed in the same turn of the event loop. Batches that arrive during
 * a commit form the next group, which starts when that commit has finished or when the group has as many
 * batches. A run is in at most one group at a time, so its cached head is never ahead of the store.
 */
export function createIngest(
  store: Store,
  wakeups: WakeupPlane,
  limits: IngestLimits = INGEST_LIMITS,
): Ingest {
  let waiting: Submission[] = [];
  let waitingBytes = 0;
  let closed = false;
  let starting = false;
  const underWay = new Set<Promise<void>>();
  const busyRuns = new Set<number>();
  let busyBatches = 0;
  const heads = new LRUCache<number, Head>({ max: limits.rememberedHeads });

  async function submit(run: RunKey, work: Submission['work']): Promise<Accepted | Rejection> {
    const bytes = byteLength(work);
    if (closed) throw new ShuttingDown();
    // A batch that exceeds the limit is still accepted if no other batch waits.
    if (waitingBytes > 0 && waitingBytes + bytes > limits.maxWaitingBytes) throw new Overloaded();
    waitingBytes += bytes;
    try {
      const outcome = await new Promise<Judged | Rejection>((settle, fail) => {
        waiting.push({ run, work, bytes, since: performance.now(), settle, fail });
        startSoon();
      });
      if (!outcome.ok) return outcome;
      return {
        ok: true,
        accepted: outcome.fresh.length,
        duplicates: outcome.duplicates,
        head: outcome.head,
      };
    } finally {
      waitingBytes -= bytes;
    }
  }

  /** Delays the start, so that all batches that arrive in this turn of the event loop join the same group. */
  function startSoon(): void {
    if (starting) return;
    starting = true;
    setImmediate(() => {
      starting = false;
      startGroups();
    });
  }

  function startGroups(): void {
    while (underWay.size < MAX_GROUPS && waiting.length > 0 && waiting.length >= busyBatches) {
      const group = takeGroup();
      if (group.length === 0) return;
      for (const { run } of group) busyRuns.add(run.key);
      busyBatches += group.length;
      const done = commitGroup(group).finally(() => {
        underWay.delete(done);
        for (const { run } of group) busyRuns.delete(run.key);
        busyBatches -= group.length;
        startGroups();
      });
      underWay.add(done);
    }
  }

  /** Takes the batches that fit into one commit, in order, except those of runs in another group. */
  function takeGroup(): Submission[] {
    const group: Submission[] = [];
    const rest: Submission[] = [];
    let bytes = 0;
    let events = 0;
    for (const submission of waiting) {
      const full =
        group.length >= MAX_COMMIT_BATCHES || events >= MAX_COMMIT_EVENTS || bytes >= limits.maxCommitBytes;
      if (full || busyRuns.has(submission.run.key)) {
        rest.push(submission);
      } else {
        group.push(submission);
        bytes += submission.bytes;
        events += 'events' in submission.work ? submission.work.events.length : 1;
      }
    }
    waiting = rest;
    return group;
  }

  async function commitGroup(group: readonly Submission[]): Promise<void> {
    try {
      await commitTogether(group);
    } catch (error) {
      for (const { run } of group) heads.delete(run.key);
      if (error instanceof StoreUnavailable || group.length === 1) {
        for (const submission of group) submission.fail(error);
        return;
      }
      // One batch caused the failure: committed individually, each batch gets its own answer.
      for (const submission of group) await commitGroup([submission]);
    }
  }

  async function commitTogether(group: readonly Submission[]): Promise<void> {
    const verdicts = await judge(group);
    const appends = verdicts.flatMap(({ append }) => append ?? []);
    const stored: ReadonlySet<number> = appends.length > 0 ? await store.commit(appends) : new Set();
    tellCommitted(appends);
    const wakes: Wake[] = [];
    const lost: Submission[] = [];
    for (const { run, append, outcomes } of verdicts) {
      if (append && !stored.has(run.key)) {
        heads.delete(run.key);
        lost.push(...outcomes.map(({ submission }) => submission));
        continue;
      }
      if (append) {
        heads.set(run.key, append.head);
        const chunk = { previousSeq: append.expectedLastSeq, events: append.events, head: append.head };
        const kind = append.head.terminalSeq === null ? 'appended' : 'ended';
        wakes.push({ run: run.key, workspace: run.workspace, kind, lastSeq: append.head.lastSeq, chunk });
      }
      for (const { submission, outcome } of outcomes) submission.settle(outcome);
    }
    wakeups.publish(wakes);
    if (lost.length > 0) await tryAgain(lost);
  }

  /** Puts batches that lost a race back in front, in order; fails those that have lost for too long. */
  async function tryAgain(lost: readonly Submission[]): Promise<void> {
    const oldest = performance.now() - limits.maxContentionMs;
    for (const submission of lost) if (submission.since < oldest) submission.fail(new Overloaded());
    waiting.unshift(...lost.filter((submission) => submission.since >= oldest));
    // Without jitter, two processes that write to one run could skip each other's lock indefinitely.
    if (limits.maxRetryPauseMs > 0) await sleep(Math.random() * limits.maxRetryPauseMs);
  }

  async function judge(group: readonly Submission[]): Promise<RunVerdicts[]> {
    const byRun = new Map<number, Submission[]>();
    for (const submission of group) {
      const ofRun = byRun.get(submission.run.key);
      if (ofRun) ofRun.push(submission);
      else byRun.set(submission.run.key, [submission]);
    }
    // `get` rather than `has`: it marks a head as used, so that the heads read now do not evict it.
    const read = await readHeads([...byRun.keys()].filter((run) => !heads.get(run)));
    const committedAt = Date.now();
    const verdicts: RunVerdicts[] = [];
    for (const [run, submissions] of byRun) {
      const head = heads.get(run)!;
      const verdict = await judgeRun(store, head, submissions, committedAt, limits);
      // Another process may have moved the log beyond a cached head, or a claim may have changed its
      // permitted sender. A commit detects this by its compare; without a commit, read the head again.
      const stale = !read.has(run) && verdict.append === null;
      if (stale) await readHeads([run]);
      verdicts.push(
        stale ? await judgeRun(store, heads.get(run)!, submissions, committedAt, limits) : verdict,
      );
    }
    return verdicts;
  }

  async function readHeads(runs: readonly number[]): Promise<ReadonlySet<number>> {
    if (runs.length === 0) return new Set();
    const found = await store.readHeads(runs);
    for (const [run, head] of found) heads.set(run, head);
    return new Set(found.keys());
  }

  return {
    append: submit,
    appendOwn: submit,
    close: async () => {
      closed = true;
      while (waiting.length > 0 || underWay.size > 0) {
        startGroups();
        await Promise.all(underWay);
      }
    },
  };
}
