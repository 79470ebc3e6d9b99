import { randomUUID } from 'node:crypto';
import type { NativeConfig } from '../config/env.ts';
import type { JsonObject } from '../contract/events.ts';
import type { Ingest } from '../ingest/ingest.ts';
import { createReleasers } from '../lib/releasers.ts';
import { createEvenClock } from '../lib/waiting/even-clock.ts';
import { rested } from '../lib/waiting/rested.ts';
import type { NativeRunRecord } from '../store/native-runs.ts';
import type { Store } from '../store/store.ts';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { followMessages, SERVER_RESTARTED } from './follow-messages.ts';
import { followSession } from './follow-session.ts';
import type { Followed } from './follower.ts';
import type { NativeLimits } from './provider/limits.ts';
import { createProvider } from './provider/provider.ts';
import { readLogged } from './provider/session-history.ts';
import { type NativeLog, openNativeLog } from './run-log.ts';
import type { LeavingReason } from './verdict.ts';

/** Where the inbox logs faults. Structurally a pino logger. */
export interface NativeInboxLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A lease is renewed this many times before it would end. */
const RENEWALS = 3;

interface Follower {
  readonly leave: (reason: LeavingReason) => void;
  readonly done: Promise<void>;
}

/** The dependencies of a process's followers. */
export interface FollowingOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly wakeups: WakeupPlane;
  readonly config: NativeConfig;
  readonly limits: NativeLimits;
  readonly log: NativeInboxLog;
}

/** The runs that this process follows. */
export interface Following {
  /** The name of this process in leases and fences. */
  readonly owner: string;
  /** Returns true if this process follows the maximum number of runs. */
  isFull(): boolean;
  /**
   * Follows a run that is leased to the owner. `request` is null if the run is a session or was taken over
   * from another process.
   */
  follow(record: NativeRunRecord, request: JsonObject | null): void;
  /** Starts taking over runs whose lease has ended. */
  lookAfter(): void;
  /** Leaves every run and waits until all are left. */
  close(): Promise<void>;
}

/** Creates the followers of this process, which share one owner name. Starts renewing their leases. */
export function createFollowing({
  store,
  ingest,
  wakeups,
  config,
  log,
  limits,
}: FollowingOptions): Following {
  const owner = `native:${randomUUID()}`;
  const provider = createProvider(config, limits);
  const followers = new Map<number, Follower>();
  const closing = new AbortController();
  const clock = createEvenClock();
  let looked = false;
  const releasers = createReleasers();

  function follow(record: NativeRunRecord, request: JsonObject | null): void {
    const controller = new AbortController();
    const leave = (reason: LeavingReason): void => controller.abort(reason);
    const left = Math.max(0, record.createdAt + config.maxDurationMs - record.now);
    const deadline = setTimeout(leave, left, 'deadline');
    const done = followUnder(record, request, { signal: controller.signal, leave })
      .then((followed) => finish(record, followed))
      .catch((error: unknown) => {
        // The process that finds the lease ended takes the run over.
        if (!(error instanceof StoreUnavailable))
          log.error({ err: error, runId: record.runId }, 'following a run failed unexpectedly');
      })
      .finally(() => {
        clearTimeout(deadline);
        followers.delete(record.run);
      });
    followers.set(record.run, { leave, done });
    if (closing.signal.aborted) leave('closing');
  }

  async function followUnder(
    record: NativeRunRecord,
    request: JsonObject | null,
    { signal, leave }: { readonly signal: AbortSignal; readonly leave: Follower['leave'] },
  ): Promise<Followed> {
    const unlisten = await wakeups.listen(record.run, ({ kind }) => {
      if (kind === 'ended') leave('run_ended');
    });
    try {
      const runLog = await openNativeLog(record, { store, ingest, limits, owner, signal, leave });
      if (runLog.opened.terminalSeq !== null) return 'done';
      return await followSource(record, request, runLog, signal).catch(async (error: unknown) => {
        if (error instanceof StoreUnavailable) throw error;
        log.error({ err: error, runId: record.runId }, 'following a run failed unexpectedly');
        await runLog.end({ outcome: 'failed', reason: 'internal_error' });
        return 'done' as const;
      });
    } finally {
      unlisten();
    }
  }

  async function followSource(
    record: NativeRunRecord,
    request: JsonObject | null,
    runLog: NativeLog,
    signal: AbortSignal,
  ): Promise<Followed> {
    const tools = { provider, log: runLog, limits, config, signal };
    if (record.source === 'session') {
      return followSession(tools, record.sessionId ?? '', await readLogged(store, record.run));
    }
    if (request) return followMessages(tools, request);
    await runLog.end(SERVER_RESTARTED);
    return 'done';
  }

  async function finish({ run }: NativeRunRecord, followed: Followed): Promise<void> {
    switch (followed) {
      case 'done':
        return store.nativeRuns.settle(run);
      case 'left':
        return store.nativeRuns.giveBack(owner, run);
    }
  }

  async function renew(): Promise<void> {
    const runs = [...followers.keys()];
    if (runs.length === 0) return;
    const mine = await store.nativeRuns.renew({ owner, leaseMs: limits.leaseMs }, runs);
    const gone = runs.filter((run) => !mine.has(run));
    if (gone.length === 0) return;
    const heads = await store.readHeads(gone);
    for (const run of gone) {
      const hasEnded = heads.get(run)?.terminalSeq !== null;
      followers.get(run)?.leave(hasEnded ? 'run_ended' : 'lost');
    }
  }

  async function takeOver(): Promise<void> {
    if (!(await leasesAreTrue())) return;
    while (!isFull() && !closing.signal.aborted) {
      const record = await store.nativeRuns.takeOver({ owner, leaseMs: limits.leaseMs }, [
        ...followers.keys(),
      ]);
      if (!record) return;
      follow(record, null);
    }
  }

  /**
   * Returns true if an ended lease was really abandoned. A clock set forward ends leases that are still held:
   * their holders must renew them first. A clock set back would prolong abandoned leases by the size of the
   * step.
   */
  async function leasesAreTrue(): Promise<boolean> {
    const askedAt = performance.now();
    const stepMs = clock.note(await store.nativeRuns.now(), askedAt);
    if (stepMs < 0 || !looked) await store.nativeRuns.recall(limits.leaseMs);
    looked = true;
    return clock.leaptMs(limits.leaseMs) === 0;
  }

  async function repeat(work: () => Promise<void>, everyMs: number): Promise<void> {
    do {
      await work().catch((err: unknown) => {
        if (!(err instanceof StoreUnavailable))
          log.error({ err }, 'renewing or taking over followed runs failed');
      });
    } while (await rested(everyMs, closing.signal));
  }

  function isFull(): boolean {
    return followers.size >= limits.maxFollowed;
  }

  const renewing = repeat(renew, limits.leaseMs / RENEWALS);
  releasers.add(() => renewing);
  releasers.add(async () => {
    for (const { leave } of followers.values()) leave('closing');
    await Promise.all([...followers.values()].map(({ done }) => done));
  });

  return {
    owner,
    isFull,
    follow,
    lookAfter: () => {
      const looking = repeat(takeOver, limits.pollMs);
      releasers.add(() => looking);
    },
    close: () => {
      closing.abort();
      return releasers.release();
    },
  };
}
