import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  describePrivatePostgres,
  freshPostgresUrl,
  freshSqliteUrl,
  privatePostgres,
} from '../support/databases.ts';
import { startProvenRun } from './proven-run.ts';
import { startRestartableServer } from './restartable-server.ts';
import { atSize, PROOF_TIMEOUT_MS } from './size.ts';
import { tell } from './tell.ts';

const KILLS = atSize(5);
const LONGEST_LIFE_MS = 300;

/** Kills a server repeatedly while it is busy, then checks that everything is stored and delivered once. */
async function killAgainAndAgain(databaseUrl: string): Promise<void> {
  const server = await startRestartableServer(databaseUrl);
  const one = [server.graphql];
  const runs = [
    await startProvenRun({ runId: 'one-producer', producersAt: one, followersAt: one }),
    await startProvenRun({
      runId: 'producers-that-repeat',
      producersAt: [...one, ...one, ...one],
      followersAt: one,
    }),
  ];
  for (let kill = 0; kill < KILLS; kill += 1) {
    await Promise.all(runs.map((run) => run.progress()));
    await sleep(Math.random() * LONGEST_LIFE_MS);
    await server.kill();
    await server.start();
  }
  for (const run of runs) run.follow(server.graphql);
  const tallies = await Promise.all(runs.map((run) => run.expectWhole()));
  for (const { reconnects } of tallies) expect(reconnects).toBeGreaterThanOrEqual(KILLS);
  tell(`${KILLS} kills`, tallies);
}

const PROMISE =
  'every acknowledged event is stored, and every subscriber receives each event once and in order';

describe('a server on SQLite that is killed repeatedly', () => {
  test(PROMISE, async () => killAgainAndAgain(await freshSqliteUrl()), PROOF_TIMEOUT_MS);
});

describePrivatePostgres('a server on Postgres that is killed repeatedly', () => {
  test(
    PROMISE,
    async () => {
      const { url } = await privatePostgres();
      await killAgainAndAgain(await freshPostgresUrl(url));
    },
    PROOF_TIMEOUT_MS,
  );
});
