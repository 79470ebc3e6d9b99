import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { RunKey } from '../store/run-keys.ts';
import type { Head, Store } from '../store/store.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { Wake, WakeupPlane } from '../wakeups/plane.ts';
import { tellCommitted } from './committed.ts';
import { Overloaded, ShuttingDown } from './faults.ts';
import type { Judged, ProducedBatch, ProducedEvent, Rejection } from './judge.ts';
import { judgeRun, type RunVerdicts } from './judge-run.ts';
import { RUN_SIZE_LIMITS, type RunSizeLimits } from './run-size.ts';
import type { Submission } from './submission.ts';

/** What became of a batch whose answer is yes: durable by now. */
export interface Accepted {
  readonly ok: true;
  readonly accepted: number;
  readonly duplicates: number;
  /** The log's head after the batch. */
  readonly head: Head;
}

/** How much ingest takes on. */
export interface IngestLimits extends RunSizeLimits {
  /** Bytes of events that may wait for a commit, in all; past it the answer is OVERLOADED. Default 64 MiB. */
  readonly maxWaitingBytes: number;
  /** A commit takes no further batch once it has this many bytes. Default 4 MiB. */
  readonly maxCommitBytes: number;
  /** How long a batch may lose races against other processes before the answer is OVERLOADED. Default 10 s. */
  readonly maxContentionMs: number;
  /** The longest pause after a lost race, of random length. Default 4 ms; 0: none. */
  readonly maxRetryPauseMs: number;
  /** Runs whose heads are kept in memory. Default 10,000; never fewer than a commit takes batches. */
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

/** The only way an event enters a run. */
export interface Ingest {
  /**
   * Appends a producer's batch: all of it or nothing, answered once durable. Rejects with {@link Overloaded},
   * {@link ShuttingDown} or `StoreUnavailable`, after all of which the same batch may be sent again.
   */
  append(run: RunKey, batch: ProducedBatch): Promise<Accepted | Rejection>;
  /** Appends an event of the server's own, by the same rules. */
  appendOwn(run: RunKey, event: Pick<ProducedEvent, 'kind' | 'data'>): Promise<Accepted | Rejection>;
  /** Takes nothing new and resolves when all that waited has been answered. */
  close(): Promise<void>;
}

/** Roughly what an event weighs in memory beside its data. */
const EVENT_OVERHEAD_BYTES = 200;
/** Far below the heads remembered, so that none of a group is evicted while the groups under way are judged. */
const MAX_COMMIT_BATCHES = 1_024;
/** Events are judged in one go, and those that may be duplicates are looked up one by one: about 5 µs each. */
const MAX_COMMIT_EVENTS = 8_192;
/** One that the store works on, and one that it finds waiting when it has done so. */
const MAX_GROUPS = 2;

function byteLength(work: Submission['work']): number {
  const events = 'events' in work ? work.events : [work];
  return events.reduce((sum, event) => sum + event.data.length + EVENT_OVERHEAD_BYTES, 0);
}

/**
 * Judges and stores batches in groups: many runs, one statement, one fsync. A batch that finds nothing under way is
 * committed in the same turn of the loop. What arrives while a group is being committed goes into the next one
 * together, which sets out when the first is done or when it has grown as large. A run is in one group at a time, so its
 * head in memory is never ahead of the store.
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
    // A batch that alone is over the limit still gets in when nothing else waits.
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

  /** Everything that this turn of the loop brings joins the same group. */
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

  /** Takes what fits into one commit, in order, but nothing of a run that is in a group already. */
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
      // One of them is at fault: alone, each gets the answer that is its own.
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

  /** Puts what lost a race back in front, in its order; gives up on what has been losing for too long. */
  async function tryAgain(lost: readonly Submission[]): Promise<void> {
    const oldest = performance.now() - limits.maxContentionMs;
    for (const submission of lost) if (submission.since < oldest) submission.fail(new Overloaded());
    waiting.unshift(...lost.filter((submission) => submission.since >= oldest));
    // Jitter, or two processes that write one run could skip each other's lock for ever.
    if (limits.maxRetryPauseMs > 0) await sleep(Math.random() * limits.maxRetryPauseMs);
  }

  async function judge(group: readonly Submission[]): Promise<RunVerdicts[]> {
    const byRun = new Map<number, Submission[]>();
    for (const submission of group) {
      const ofRun = byRun.get(submission.run.key);
      if (ofRun) ofRun.push(submission);
      else byRun.set(submission.run.key, [submission]);
    }
    // Got rather than asked for: a head that was not used for long must not make room for those that are read now.
    const read = await readHeads([...byRun.keys()].filter((run) => !heads.get(run)));
    const committedAt = Date.now();
    const verdicts: RunVerdicts[] = [];
    for (const [run, submissions] of byRun) {
      const head = heads.get(run)!;
      const verdict = await judgeRun(store, head, submissions, committedAt, limits);
      // Another process may have moved the log past a head from memory, or a claim have changed whose events it takes.
      // A commit compares; without one, read again.
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
