import { FEED_LIMITS } from '../feed/limits.ts';
import { withPatience } from '../feed/patience.ts';
import type { Prisma } from '../generated/postgres/client.ts';
import { cancellable, unlessAborted } from '../lib/cancellable.ts';
import type { Context } from './context.ts';
import type { RunRow } from './run.ts';

/** A growing run is shown at most this often. */
const GROWTH_INTERVAL_MS = 1_000;
/** How many changed runs one read brings. */
const MAX_RUNS_A_READ = 100;

/** Rows of the caller's runs that match, whenever they change. Quick changes of one run fold into its latest row. */
export function followRuns(
  context: Context,
  where: Prisma.RunWhereInput,
): AsyncGenerator<RunRow, void, undefined> {
  return cancellable(async function* (signal) {
    // When each changed run is due, and when each was shown last. A run is in one of them for a second at most.
    const due = new Map<number, number>();
    const shownAt = new Map<number, number>();
    let wake = () => {};
    signal.addEventListener('abort', () => wake(), { once: true });
    const stop = await context.wakeups.listenToAll(({ run, workspace, kind }) => {
      if (workspace !== context.principal.workspace) return;
      const now = Date.now();
      const time = kind === 'appended' ? Math.max(now, (shownAt.get(run) ?? 0) + GROWTH_INTERVAL_MS) : now;
      due.set(run, Math.min(time, due.get(run) ?? time));
      wake();
    });
    try {
      while (!signal.aborted) {
        const now = Date.now();
        for (const [run, at] of shownAt) if (at + GROWTH_INTERVAL_MS <= now) shownAt.delete(run);
        const ready = [...due]
          .filter(([, at]) => at <= now)
          .map(([run]) => run)
          .slice(0, MAX_RUNS_A_READ);
        if (ready.length === 0) {
          const next = Math.min(...due.values());
          await new Promise<void>((resolve) => {
            const timer = Number.isFinite(next) ? setTimeout(resolve, next - now) : undefined;
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
          continue;
        }
        for (const run of ready) {
          due.delete(run);
          shownAt.set(run, now);
        }
        const query = { where: { AND: [where, { key: { in: ready } }] } };
        const read = () => context.store.catalog.run.findMany(query);
        const rows = await unlessAborted(withPatience(read, FEED_LIMITS.patienceMs, signal), signal);
        yield* rows ?? [];
      }
    } finally {
      stop();
    }
  });
}
