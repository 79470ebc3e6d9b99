import { withPatience } from '../feed/patience.ts';
import { cancellable, unlessAborted } from '../lib/cancellable.ts';
import type { JobRecord, JobStore } from '../store/jobs.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { isVisible } from './reconcile/change.ts';
import { isFinal } from './reconcile/transitions.ts';

/** What {@link followJob} works with. */
export interface FollowTools {
  readonly jobs: JobStore;
  readonly wakeups: WakeupPlane;
  /** How long to wait for a store that is down, in milliseconds. */
  readonly patienceMs: number;
}

/** The longest that a lost wake-up delays a change. */
const POLL_MS = 2_000;

/**
 * Yields the job, then again after each visible change, until it ends. Quick changes may be merged, but the
 * last one is always yielded. Throws `StoreUnavailable` if the store stays down.
 */
export function followJob(
  { jobs, wakeups, patienceMs }: FollowTools,
  run: number,
): AsyncGenerator<JobRecord, void, undefined> {
  return cancellable(async function* (signal) {
    let wake = () => {};
    let woken = true;
    const stop = await wakeups.listen(run, ({ kind }) => {
      if (kind === 'appended') return;
      woken = true;
      wake();
    });
    signal.addEventListener('abort', () => wake(), { once: true });
    let shown: JobRecord | null = null;
    try {
      while (!signal.aborted) {
        woken = false;
        const reading = withPatience(() => jobs.read([run]), patienceMs, signal);
        const job = (await unlessAborted(reading, signal))?.get(run)?.job;
        if (!job) return;
        if (shown === null || isVisible(shown, job)) {
          shown = job;
          yield job;
        }
        if (isFinal(job.status)) return;
        if (woken || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = () => {};
      }
    } finally {
      stop();
    }
  });
}
