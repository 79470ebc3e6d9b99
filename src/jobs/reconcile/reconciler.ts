import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderRuntimeKind } from '../../contract/jobs.ts';
import type { EvenClock } from '../../lib/waiting/even-clock.ts';
import type { GivenBack, JobReading, JobRecord, JobStore } from '../../store/jobs.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import { SubstrateError } from '../../substrates/errors.ts';
import type { JobLog, Substrate } from '../../substrates/substrate.ts';
import { createDispatchers } from './breakers.ts';
import { aged } from './change.ts';
import { backoff } from './plan.ts';
import {
  failedStep,
  giveUp,
  laterTry,
  redacted,
  type StepResult,
  type StepTools,
  takeStep,
} from './steps.ts';
import type { Verdict } from './verdicts.ts';

/** What {@link createReconciler} works with. */
export interface ReconcilerOptions {
  readonly jobs: JobStore;
  readonly substrates: ReadonlyMap<ProviderRuntimeKind, Substrate>;
  /** The name of this machine. */
  readonly host: string;
  readonly tools: StepTools;
  readonly clock: EvenClock;
  readonly log: JobLog;
}

/** Looks after jobs until they are settled. */
export interface Reconciler {
  /** Starts the loop. */
  start(): void;
  /** Makes the loop look for due jobs now. */
  kick(): void;
  /** How many steps were taken, and how many of them failed. */
  counts(): { readonly steps: number; readonly failures: number };
  /** Takes no more jobs. Resolves when all steps in progress are done and released, or after 5 s. */
  close(): Promise<void>;
}

/** How many times a lease is renewed before it would expire. */
const RENEWALS = 3;
/** How long `close` waits for steps in progress. */
const CLOSE_MS = 5_000;
/** The wait if another process took the due jobs first. */
const RETRY_MS = 100;

/**
 * Creates the level-triggered loop. Whatever happened before, it leases due jobs, compares what is requested,
 * stored and seen, takes one step of each, and releases them with the time of the next step. It keeps no job
 * in memory, so any number of processes may run it, and a new one continues from the rows.
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { jobs, substrates, host, tools, clock, log } = options;
  const { limits } = tools;
  const owner = randomUUID();
  const closing = new AbortController();
  const known = [...substrates.keys()];
  const dispatchers = createDispatchers(known);
  const underWay = new Map<number, Promise<void>>();
  const done: GivenBack[] = [];
  let steps = 0;
  let failures = 0;
  let kicked = false;
  /** True if jobs may be due at times that the clock was set back from. At the start this is unknown. */
  let setBack = true;
  let wake = () => {};

  const kick = () => {
    kicked = true;
    wake();
  };

  async function step(substrate: Substrate, reading: JobReading): Promise<StepResult> {
    try {
      const result = await inTime(takeStep(tools, substrate, reading), limits.stepMs);
      dispatchers.succeeded(substrate.kind);
      return result;
    } catch (error) {
      failures += 1;
      return afterFailure(substrate, reading.job, error);
    }
  }

  async function afterFailure(substrate: Substrate, job: JobRecord, error: unknown): Promise<StepResult> {
    const runId = job.runId;
    if (error instanceof SubstrateError) {
      const pause = dispatchers.failed(substrate.kind, error.failure);
      const { errorClass, message } = error.failure;
      const reason = await redacted(tools.specs, job, message);
      log.warn({ runId, substrate: substrate.kind, errorClass, reason, pause }, 'a step of a job failed');
      const result = await failedStep(tools, job, error);
      return { ...result, dueIn: Math.max(result.dueIn, pause) };
    }
    if (!(error instanceof StoreUnavailable))
      log.error({ err: error, runId }, 'a step of a job failed unexpectedly');
    return laterTry(tools, job);
  }

  function begin(reading: JobReading): void {
    const { run, substrate: kind, version, failures: before, statusMs, lookedAt } = reading.job;
    const substrate = substrates.get(kind);
    steps += 1;
    const work = (substrate ? step(substrate, reading) : giveUp(tools, reading, notConfigured(kind)))
      .then(({ job, dueIn, failures }) => {
        const { version, statusMs, lookedAt } = job;
        done.push({ run, version, dueIn, failures, statusMs, lookedAt });
      })
      // The failure could not be stored either.
      .catch(() => {
        done.push({ run, version, dueIn: backoff(before, limits), failures: before, statusMs, lookedAt });
      })
      .then(() => {
        underWay.delete(run);
        kick();
      });
    underWay.set(run, work);
  }

  async function giveBack(): Promise<void> {
    // All jobs that this turn of the loop finishes are released together.
    const finished = done.splice(0);
    if (finished.length === 0) return;
    try {
      await jobs.giveBack(owner, finished);
    } catch (error) {
      done.unshift(...finished);
      throw error;
    }
  }

  /** Returns in how many milliseconds there may be more to do. */
  async function round(): Promise<number> {
    await giveBack();
    const room = limits.maxSteps - underWay.size;
    if (room <= 0) return limits.pollMs;
    const { leaseMs } = limits;
    if (setBack) {
      await jobs.recall(leaseMs);
      setBack = false;
    }
    // A job is not abandoned if it only seems so because the clock was set forward.
    const abandonedMs = limits.abandonedMs + clock.leaptMs(limits.abandonedMs);
    const due = { host, abandonedMs, substrates: dispatchers.open(), known };
    const askedAt = performance.now();
    const { dueIn, now } = await jobs.nextDue(due);
    const leapMs = clock.note(now, askedAt);
    if (leapMs !== 0) {
      log.warn(
        { leapMs: Math.round(leapMs) },
        'the clock of the database was changed, or this machine was suspended',
      );
      setBack = leapMs < 0;
      return 0;
    }
    if (dueIn === null || dueIn > 0) return Math.min(dueIn ?? limits.pollMs, limits.pollMs);
    const leased = await jobs.lease({ ...due, owner, leaseMs, limit: room });
    for (const reading of leased) {
      // Its lease expired by a clock that was set. The step continues and releases the job.
      if (!underWay.has(reading.job.run)) begin(aged(reading, clock));
    }
    return leased.length > 0 ? 0 : RETRY_MS;
  }

  async function loop(): Promise<void> {
    while (!closing.signal.aborted) {
      kicked = false;
      let waitMs: number;
      try {
        waitMs = await round();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) log.error({ err: error }, 'could not look for due jobs');
        waitMs = limits.pollMs;
      }
      await pause(waitMs);
    }
    while (underWay.size > 0 || done.length > 0) {
      await Promise.all(underWay.values());
      await giveBack();
    }
  }

  async function pause(waitMs: number): Promise<void> {
    if (kicked) return void (await new Promise(setImmediate));
    const timer = new AbortController();
    wake = () => timer.abort();
    await sleep(waitMs, undefined, { signal: timer.signal }).catch(() => {});
    wake = () => {};
  }

  function renew(): void {
    if (underWay.size === 0) return;
    jobs.renew(owner, [...underWay.keys()], limits.leaseMs).catch(() => {
      // Two processes with one job do no harm: writes are compared, and calls to a substrate are idempotent.
    });
  }

  let renewing: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  return {
    start: () => {
      renewing = setInterval(renew, limits.leaseMs / RENEWALS);
      running = loop();
    },
    kick,
    counts: () => ({ steps, failures }),
    close: async () => {
      closing.abort();
      kick();
      // A hanging step is taken over once its lease expires, so there is no need to wait for it here.
      await inTime(running, CLOSE_MS).catch((error: unknown) =>
        log.warn(
          { err: error },
          'closed with steps in progress: they are taken over when their leases expire',
        ),
      );
      clearInterval(renewing);
    },
  };
}

/** Returns the answer, or throws if there is none in time. Nothing is aborted: late writes are compared. */
async function inTime<Answer>(work: Promise<Answer>, milliseconds: number): Promise<Answer> {
  const timer = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    const message = `no answer within ${milliseconds} ms`;
    throw new SubstrateError({ errorClass: 'substrate_error', message, transient: true, mayExist: true });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => {});
    timer.abort();
  }
}

/** The verdict on a job whose substrate no longer has a runner. */
function notConfigured(kind: ProviderRuntimeKind): Verdict {
  const message = `substrate ${kind} is no longer configured: remove what is left of the job there by hand`;
  return { errorClass: 'config_invalid', message, exitCode: null };
}
