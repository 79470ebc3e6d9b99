import { createBell } from '../../lib/waiting/bell.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { Wake, WakeupPlane } from '../../wakeups/plane.ts';
import type { UpdatedRun } from './row.ts';

/** The minimum time between two reports of a growing run. */
const GROWTH_INTERVAL_MS = 1_000;
/** Runs that become due within this time are read together. */
const ROUND_MS = 50;
/** The maximum number of changed runs in one read. */
const MAX_RUNS_A_READ = 100;
/** Changed runs that may wait to be read, as while the store is down. Above this, all subscriptions fail. */
const MAX_DUE_RUNS = 100_000;
/** Runs whose end is remembered as told. The end of a run that was forgotten may be told again. */
const MAX_TOLD_ENDS = 10_000;

/** The receiver of changes. */
export interface RunChangesTarget {
  /** Reads the rows. Waits for a while if the store is down, and then throws `StoreUnavailable`. */
  read(runs: readonly number[], signal: AbortSignal): Promise<readonly UpdatedRun[]>;
  /**
   * Resolves once all subscribers are notified, or those that are slow have delayed the others for long enough.
   * Meanwhile, changes wait, and those of one run are merged.
   */
  changed(rows: readonly UpdatedRun[], signal: AbortSignal): Promise<void>;
  /** Called when changes were missed: all subscribers must subscribe again. */
  failed(error: unknown): void;
}

/** The changes of the runs in one workspace. */
export interface RunChanges {
  /** Resolves once it receives every later change. */
  readonly listening: Promise<void>;
  close(): void;
}

/**
 * Reads the runs of a workspace that change: immediately when a run is created or ends or its job changes,
 * otherwise at most once a second per run. Changes of one run in quick succession are merged into one read.
 */
export function createRunChanges(
  workspace: string,
  wakeups: WakeupPlane,
  target: RunChangesTarget,
): RunChanges {
  // All times are from the monotonic clock, because the wall clock can be set.
  const atOnce = new Set<number>();
  /** The time at which each run that grew is due. */
  const later = new Map<number, number>();
  /** The time of each run's last report, in that order. Entries are deleted after a second. */
  const shownAt = new Map<number, number>();
  /** Runs whose job has changed since they were read. */
  const changedJobs = new Set<number>();
  /** Runs that were told as ended, the latest last. Only their jobs still change. */
  const toldEnds = new Set<number>();
  let nextAt = Number.POSITIVE_INFINITY;
  const closing = new AbortController();
  const { signal } = closing;
  const bell = createBell();

  async function listen(): Promise<void> {
    const stop = await wakeups.listenToAll((wake) => {
      if (wake.workspace !== workspace) return;
      note(wake);
      if (atOnce.size + later.size <= MAX_DUE_RUNS) return;
      atOnce.clear();
      later.clear();
      changedJobs.clear();
      target.failed(new StoreUnavailable('more runs change than the server can read'));
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  function note({ run, kind }: Wake): void {
    if (kind === 'job') changedJobs.add(run);
    const shown = shownAt.get(run);
    const due = shown === undefined ? 0 : shown + GROWTH_INTERVAL_MS;
    if (kind !== 'appended' || due <= performance.now()) {
      later.delete(run);
      atOnce.add(run);
      bell.ring();
    } else if (!atOnce.has(run) && !later.has(run)) {
      const at = Math.ceil(due / ROUND_MS) * ROUND_MS;
      later.set(run, at);
      nextAt = Math.min(nextAt, at);
      bell.ring();
    }
  }

  function takeDue(): number[] {
    const now = performance.now();
    if (nextAt <= now) {
      nextAt = Number.POSITIVE_INFINITY;
      for (const [run, at] of later) {
        if (at > now) nextAt = Math.min(nextAt, at);
        else if (later.delete(run)) atOnce.add(run);
      }
    }
    for (const [run, at] of shownAt) {
      if (at + GROWTH_INTERVAL_MS > now) break;
      shownAt.delete(run);
    }
    const ready: number[] = [];
    for (const run of atOnce) {
      if (ready.length === MAX_RUNS_A_READ) break;
      atOnce.delete(run);
      const jobChanged = changedJobs.delete(run);
      // The read for an earlier wake may have found the end that this wake announces.
      if (jobChanged || !toldEnds.has(run)) ready.push(run);
    }
    for (const run of ready) {
      shownAt.delete(run);
      shownAt.set(run, now);
    }
    return ready;
  }

  function rememberEnd(run: number): void {
    toldEnds.add(run);
    const [oldest] = toldEnds;
    if (toldEnds.size > MAX_TOLD_ENDS && oldest !== undefined) toldEnds.delete(oldest);
  }

  /** Resolves when the next run is due. */
  function rest(): Promise<void> {
    const until = nextAt;
    const within = Number.isFinite(until) ? Math.max(0, until - performance.now()) : undefined;
    return bell.until(() => atOnce.size > 0 || nextAt < until, signal, within);
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      const ready = takeDue();
      if (ready.length === 0) {
        await rest();
        continue;
      }
      try {
        const rows = await target.read(ready, signal);
        if (signal.aborted) return;
        for (const { key, endedAt } of rows) if (endedAt !== null) rememberEnd(key);
        await target.changed(rows, signal);
      } catch (error) {
        if (!signal.aborted) target.failed(error);
      }
    }
  }

  const listening = listen();
  void follow();
  return { listening, close: () => closing.abort() };
}
