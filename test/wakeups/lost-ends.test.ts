import { expect, test } from 'vitest';
import { describePostgres, freshPostgresUrl } from '../support/databases.ts';
import { openEventStream } from '../support/event-stream.ts';
import { hasRedis, privateRedis } from '../support/private-redis.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { breakableConnection } from './breakable-connection.ts';
import { redisUrl } from './carriers.ts';

const UPDATES = 'subscription { runUpdated { id ended } }';

/** Longer than it takes to find a lost end: two looks, 4 s apart. */
const FOUND_MS = 15_000;

/** Longer than the time before a look in which an end is looked for, and a look. */
const OUTAGE_MS = 25_000;

async function start(databaseUrl: string, env: Readonly<Record<string, string>> = {}) {
  const server = await startTestServer({ DATABASE_URL: databaseUrl, ...env });
  releaseAfterwards(() => server.close());
  return server;
}

/** Follows all runs and returns the ids of those that were told to have ended, in order. */
async function followEnds(graphql: string): Promise<string[]> {
  const ends: string[] = [];
  const stream = await openEventStream(graphql, UPDATES);
  void (async () => {
    for (let event = await stream.next(); event?.event === 'next'; event = await stream.next()) {
      const { id, ended } = JSON.parse(event.data).data.runUpdated;
      if (ended) ends.push(id);
    }
  })();
  // Subscribed once it hears of a run.
  await expect
    .poll(async () => {
      const id = await newRun(graphql);
      await post(graphql, `mutation { endRun(input: { runId: "${id}" }) { __typename } }`);
      return ends.length;
    })
    .toBeGreaterThan(0);
  return ends;
}

async function endRuns(graphql: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = await newRun(graphql);
    await ingest(graphql, id, [...eventsFrom(0, 2), terminalAt(2)]);
    ids.push(id);
  }
  return ids;
}

describePostgres('runUpdated', () => {
  test.skipIf(!redisUrl)(
    'tells once of the end of every run whose wake-ups are all lost',
    async () => {
      const databaseUrl = await freshPostgresUrl();
      // One server wakes others over Redis, the other over Postgres: they never hear each other.
      const deaf = await start(databaseUrl);
      const mute = await start(databaseUrl, { REDIS_URL: redisUrl ?? '' });
      const ends = await followEnds(deaf.graphql);
      const ids = await endRuns(mute.graphql, 3);
      await expect.poll(() => ids.every((id) => ends.includes(id)), { timeout: 30_000 }).toBe(true);
      await new Promise((passed) => setTimeout(passed, FOUND_MS));
      expect(ends.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
    },
    90_000,
  );

  test('tells once of the end of a run whose wake-up arrives', async () => {
    const databaseUrl = await freshPostgresUrl();
    const [one, other] = [await start(databaseUrl), await start(databaseUrl)];
    const ends = await followEnds(other.graphql);
    const ids = await endRuns(one.graphql, 3);
    await expect.poll(() => ids.every((id) => ends.includes(id))).toBe(true);
    await new Promise((passed) => setTimeout(passed, FOUND_MS));
    expect(ends.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
  }, 60_000);

  test('reports the end of a run early in a database outage that affects only this server', async () => {
    const databaseUrl = await freshPostgresUrl();
    const way = await breakableConnection(databaseUrl, 5432);
    const cutOff = await start(way.url);
    const other = await start(databaseUrl);
    const ends = await followEnds(cutOff.graphql);
    way.cut();
    const ids = await endRuns(other.graphql, 3);
    await new Promise((passed) => setTimeout(passed, OUTAGE_MS));
    way.mend();
    await expect.poll(() => ids.every((id) => ends.includes(id)), { timeout: 40_000 }).toBe(true);
  }, 120_000);

  test.skipIf(!hasRedis())(
    'reports the end of a run while Redis is down',
    async () => {
      const redis = await privateRedis();
      const databaseUrl = await freshPostgresUrl();
      const env = { REDIS_URL: redis.url };
      const [one, other] = [await start(databaseUrl, env), await start(databaseUrl, env)];
      const ends = await followEnds(other.graphql);
      await redis.stop();
      const ids = await endRuns(one.graphql, 3);
      await expect.poll(() => ids.every((id) => ends.includes(id)), { timeout: 40_000 }).toBe(true);
    },
    90_000,
  );
});
