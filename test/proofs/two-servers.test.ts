import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { describePrivatePostgres, freshPostgresUrl, privatePostgres } from '../support/databases.ts';
import { startServe } from '../support/runfeed-process.ts';
import { startProvenRun } from './proven-run.ts';
import { startRestartableServer } from './restartable-server.ts';
import { atSize, PROOF_TIMEOUT_MS } from './size.ts';
import { tell } from './tell.ts';

const PROGRESSES = atSize(40);
const KILLS = atSize(3);

describePrivatePostgres('two servers on one Postgres', () => {
  test(
    'accept the same run at once, and subscribers of both receive it completely',
    async () => {
      const DATABASE_URL = await freshPostgresUrl((await privatePostgres()).url);
      const servers = await Promise.all([startServe({ DATABASE_URL }), startServe({ DATABASE_URL })]);
      const both = servers.map(({ graphql }) => graphql);
      const run = await startProvenRun({
        runId: 'written-at-both',
        producersAt: [...both, ...both],
        followersAt: both,
      });
      for (let round = 0; round < PROGRESSES; round += 1) await run.progress();
      tell('two servers', [await run.expectWhole()]);
    },
    PROOF_TIMEOUT_MS,
  );

  test(
    'lose nothing when one of them is killed repeatedly',
    async () => {
      const DATABASE_URL = await freshPostgresUrl((await privatePostgres()).url);
      const [lasting, mortal] = await Promise.all([
        startServe({ DATABASE_URL }),
        startRestartableServer(DATABASE_URL),
      ]);
      const both = [lasting.graphql, mortal.graphql];
      const run = await startProvenRun({ runId: 'written-at-both', producersAt: both, followersAt: both });
      for (let kill = 0; kill < KILLS; kill += 1) {
        await run.progress();
        await sleep(Math.random() * 300);
        await mortal.kill();
        await mortal.start();
      }
      tell(`two servers, ${KILLS} kills of one`, [await run.expectWhole()]);
    },
    PROOF_TIMEOUT_MS,
  );
});
