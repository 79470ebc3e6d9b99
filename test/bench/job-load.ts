import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../src/store/open.ts';
import { countCalls, type JobCalls } from './job-calls.ts';
import { type JobOrder, startJobLoad } from './job-servers.ts';

// Looks after a large number of jobs in a separate process, as a server does or with the least possible work,
// and reports the cost.

/** The cost of looking after all jobs, per second. */
export interface JobFigures extends JobCalls {
  /** Milliseconds of CPU time. */
  readonly cpuMs: number;
  readonly looks: number;
}

/** How long to wait until the work of the start is done and the code is warm. */
const SETTLE_MS = 2_000;

process.once('message', (order: JobOrder) => {
  serve(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.on('SIGTERM', () => process.exit());
process.send!('ready');

async function serve(order: JobOrder): Promise<void> {
  const { store, calls } = countCalls(await openStore(process.env.DATABASE_URL!));
  const looks = await startJobLoad(store, order);
  await sleep(SETTLE_MS);
  process.on(
    'message',
    ({ ms }: { readonly ms: number }) => void measure(ms).then((figures) => process.send!(figures)),
  );
  process.send!('set up');

  async function measure(ms: number): Promise<JobFigures> {
    looks.begin();
    const before = { ...calls };
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    await sleep(ms);
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - startedAt) / 1_000;
    return {
      cpuMs: (user + system) / 1_000 / seconds,
      looks: looks.end(seconds) / seconds,
      reads: (calls.reads - before.reads) / seconds,
      writes: (calls.writes - before.writes) / seconds,
    };
  }
}
