import type { ProviderRuntimeKind } from '../contract/jobs.ts';
import { createPauses } from '../lib/waiting/turns.ts';
import type { JobStore } from '../store/jobs.ts';
import type { JobLog, Substrate } from '../substrates/substrate.ts';
import type { Specs } from './spec/specs.ts';

/** What {@link createJobLogs} works with. */
export interface JobLogsOptions {
  readonly jobs: JobStore;
  readonly substrates: ReadonlyMap<ProviderRuntimeKind, Substrate>;
  readonly specs: Specs;
  readonly log: JobLog;
}

/**
 * Creates a function that reads the newest lines of a job's output, without secrets, or null if none are
 * available. Concurrent requests for the same lines share one reading. Searches for secrets take turns: one
 * slice in each turn of the event loop.
 */
export function createJobLogs({
  jobs,
  substrates,
  specs,
  log,
}: JobLogsOptions): (run: number, lines: number) => Promise<string | null> {
  const underWay = new Map<string, Promise<string | null>>();
  const pauses = createPauses();

  async function read(run: number, lines: number): Promise<string | null> {
    const job = (await jobs.read([run])).get(run)?.job;
    if (!job || job.appName === null || job.machineId === null) return null;
    const substrate = substrates.get(job.substrate);
    if (!substrate?.logTail) return null;
    if (job.host !== null && job.host !== substrate.host) return null;
    const redactor = await specs.redactorOf(job);
    const handle = { appName: job.appName, machineId: job.machineId };
    const tail = await substrate.logTail(handle, lines, redactor.marginBytes).catch((err: unknown) => {
      log.warn({ err, runId: job.runId }, 'could not read the logs of a job');
      return null;
    });
    if (tail === null) return null;
    return redactor.redactTail(tail.bytes, tail.from, pauses());
  }

  return (run, lines) => {
    const key = `${run} ${lines}`;
    const reading = underWay.get(key) ?? read(run, lines).finally(() => underWay.delete(key));
    underWay.set(key, reading);
    return reading;
  };
}
