import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describePrivatePostgres, freshPostgresUrl, privatePostgres } from '../support/databases.ts';
import { startServe } from '../support/runfeed-process.ts';
import { startProvenRun } from './proven-run.ts';
import { atSize, PROOF_SIZE, PROOF_TIMEOUT_MS } from './size.ts';
import { tell } from './tell.ts';

const STOPS = atSize(3);
const LONGEST_STOP_MS = 1_000;
/** Longer than a subscription waits for its store. */
const LONG_STOP_MS = 40_000;

describePrivatePostgres('a server whose Postgres crashes', () => {
  async function start() {
    const postgres = await privatePostgres();
    const DATABASE_URL = await freshPostgresUrl(postgres.url);
    const { graphql } = await startServe({ DATABASE_URL, LOG_LEVEL: 'fatal' });
    const one = [graphql];
    const runs = [
      await startProvenRun({ runId: 'one-producer', producersAt: one, followersAt: one }),
      await startProvenRun({
        runId: 'producers-that-repeat',
        producersAt: [...one, ...one],
        followersAt: one,
      }),
      // A run without followers is not in the server's memory.
      await startProvenRun({ runId: 'not-followed-yet', producersAt: one, followersAt: [] }),
    ];
    const progress = () => Promise.all(runs.map((run) => run.progress()));
    const followAll = () => runs.map((run) => run.follow(graphql));
    return { postgres, runs, progress, followAll };
  }

  test(
    'continues when Postgres is back: nothing is lost or duplicated, and new subscribers only wait',
    async () => {
      const { postgres, runs, progress, followAll } = await start();
      for (let stop = 0; stop < STOPS; stop += 1) {
        await progress();
        await postgres.stop('immediate');
        if (stop < 2) followAll();
        await sleep(Math.random() * LONGEST_STOP_MS);
        await postgres.start();
      }
      await progress();
      const tallies = await Promise.all(runs.map((run) => run.expectWhole()));
      for (const { retries } of tallies) expect(retries).toBeGreaterThan(0);
      tell(`${STOPS} crashes of Postgres`, tallies);
    },
    PROOF_TIMEOUT_MS,
  );

  test.skipIf(PROOF_SIZE < 2)(
    'closes sockets that waited too long with 1013, and they reconnect (skipped unless RUNFEED_PROOF_SIZE is 2 or more)',
    async () => {
      const { postgres, runs, progress, followAll } = await start();
      await progress();
      await postgres.stop('immediate');
      const [, , waiting = []] = followAll();
      await sleep(LONG_STOP_MS);
      await postgres.start();
      const tallies = await Promise.all(runs.map((run) => run.expectWhole()));
      for (const { over, cuts } of waiting) {
        if (over === 'websocket') expect(cuts.map(closeCodeOf)).toContain(1013);
        expect(cuts).not.toEqual([]);
      }
      tell(`a stop of ${LONG_STOP_MS} ms`, tallies);
    },
    PROOF_TIMEOUT_MS,
  );
});

/** Returns the close code of the event that graphql-ws throws. */
function closeCodeOf(cut: unknown): unknown {
  return cut instanceof Object && 'code' in cut ? cut.code : null;
}
