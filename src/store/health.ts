import { setTimeout as sleep } from 'node:timers/promises';
import { lineOf } from '../lib/text/error-line.ts';
import { rested } from '../lib/waiting/rested.ts';
import type { CatalogClient } from './catalog.ts';
import type { Store } from './store.ts';
import { StoreContended, StoreUnavailable } from './unavailable.ts';

/** Is called when a store begins to fail and when it works again: once each, however many calls fail. */
export interface StoreWatcher {
  /** The first call failed. `reason` is one line without secrets. */
  onFailing?(reason: string): void;
  /** The store accepts writes again, and no call has failed for a while. */
  onRecovered?(trouble: { readonly forMs: number; readonly failedCalls: number }): void;
}

/** Durations in milliseconds. */
export interface HealthLimits {
  /** How long the result of a write or ping predicts whether the next write would succeed. */
  readonly evidenceMs: number;
  /** A ping that takes longer fails. */
  readonly pingMs: number;
  /** The time without a failed call after which the store counts as recovered: the first and the longest. */
  readonly quietMs: number;
  readonly maxQuietMs: number;
}

const HEALTH_LIMITS: HealthLimits = {
  evidenceMs: 1_000,
  pingMs: 5_000,
  quietMs: 1_000,
  maxQuietMs: 60_000,
};

/** The result of the newest write or ping. `fault` is null if it succeeded. */
interface Evidence {
  readonly at: number;
  readonly fault: unknown;
}

/**
 * Wraps a store so that the watcher learns of every `StoreUnavailable`. The wrapped `ping` writes at most
 * once per `evidenceMs`: for that long the result of the newest write or ping is returned, and concurrent
 * callers share one ping.
 */
export function watchHealth(
  store: Store,
  { onFailing, onRecovered }: StoreWatcher = {},
  { evidenceMs, pingMs, quietMs, maxQuietMs }: HealthLimits = HEALTH_LIMITS,
): Store {
  const { dialect, id, file, catalog, lists, jobs, nativeRuns, createRun, commit, ping, close, ...calls } =
    store;
  const closing = new AbortController();
  let evidence: Evidence | null = null;
  let probing: Promise<void> | null = null;
  let trouble: { readonly since: number; lastFailure: number; failedCalls: number } | null = null;
  let watching: Promise<void> = Promise.resolve();
  let quiet = quietMs;
  let recoveredAt = Number.NEGATIVE_INFINITY;

  function fails(reason: string): void {
    const now = performance.now();
    if (trouble) {
      trouble.lastFailure = now;
      trouble.failedCalls += 1;
      return;
    }
    if (closing.signal.aborted) return;
    trouble = { since: now, lastFailure: now, failedCalls: 1 };
    // A store that fails every few seconds must not fill the log.
    quiet = now - recoveredAt < maxQuietMs ? Math.min(2 * quiet, maxQuietMs) : quietMs;
    onFailing?.(reason);
    watching = untilRecovered();
  }

  async function untilRecovered(): Promise<void> {
    while (trouble && (await rested(evidenceMs, closing.signal))) {
      const works = await isWritable().then(
        () => true,
        () => false,
      );
      const now = performance.now();
      if (!works || now - trouble.lastFailure < quiet) continue;
      const { since, failedCalls } = trouble;
      trouble = null;
      recoveredAt = now;
      onRecovered?.({ forMs: Math.round(now - since), failedCalls });
    }
  }

  function wrote(fault: unknown = null): void {
    evidence = { at: performance.now(), fault };
  }

  async function watched<Answer>(call: Promise<Answer>): Promise<Answer> {
    try {
      return await call;
    } catch (error) {
      if (error instanceof StoreUnavailable) fails(error.message);
      throw error;
    }
  }

  /** For calls whose success proves that the database accepts writes. */
  async function watchedWrite<Answer>(call: Promise<Answer>, isProof: (answer: Answer) => boolean) {
    try {
      const answer = await watched(call);
      if (isProof(answer)) wrote();
      return answer;
    } catch (error) {
      // Rows that others hold do not predict whether other writes would succeed.
      if (error instanceof StoreUnavailable && !(error instanceof StoreContended)) wrote(error);
      throw error;
    }
  }

  async function probe(): Promise<void> {
    try {
      await inTime(ping(), pingMs);
      wrote();
    } catch (error) {
      wrote(error);
      fails(lineOf(error));
      throw error;
    } finally {
      probing = null;
    }
  }

  async function isWritable(): Promise<void> {
    if (!evidence || performance.now() - evidence.at >= evidenceMs) {
      probing ??= probe();
      await probing;
    } else if (evidence.fault !== null) {
      throw evidence.fault;
    }
  }

  return {
    ...watchedCalls(calls, watched),
    dialect,
    id,
    file,
    catalog: catalog.$extends({
      query: { $allOperations: ({ args, query }) => watched(query(args)) },
    }) as unknown as CatalogClient,
    lists: watchedCalls(lists, watched),
    jobs: watchedCalls(jobs, watched),
    nativeRuns: watchedCalls(nativeRuns, watched),
    createRun: (run) => watchedWrite(createRun(run), ({ created }) => created),
    commit: (appends) => watchedWrite(commit(appends), (stored) => stored.size > 0),
    ping: isWritable,
    close: async () => {
      closing.abort();
      evidence = null;
      await close();
      await watching;
    },
  };
}

/** Wraps each function so that its result is watched. All of them return promises. */
function watchedCalls<Calls extends object>(
  calls: Calls,
  watched: <Answer>(call: Promise<Answer>) => Promise<Answer>,
): Calls {
  const wrapped = Object.entries(calls as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
    ([name, call]) => [name, (...args: unknown[]) => watched(call(...args))],
  );
  return Object.fromEntries(wrapped) as Calls;
}

async function inTime(work: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).then(() => {
    throw new StoreUnavailable(`the database did not answer within ${ms} ms`);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
