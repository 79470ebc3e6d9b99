import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { describePrivatePostgres, freshPostgresUrl, privatePostgres } from '../support/databases.ts';
import { hasRedis, privateRedis } from '../support/private-redis.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { CONNECTIONS } from './connections.ts';
import { createEndlessScript, createWitness } from './endless-run.ts';
import { startProducer } from './producer.ts';
import { type RestartableServer, startRestartableServer } from './restartable-server.ts';
import { atSize, PROOF_EVENTS, PROOF_TIMEOUT_MS } from './size.ts';
import { startSubscriber } from './subscriber.ts';

const SERVERS = 3;
const KILLS_AT_LEAST = atSize(2);
const LONGEST_LIFE_MS = 2_000;
/** One in this many runs has two producers that send the same events from anywhere. */
const REPEATED = 4;
const LONGEST_PATIENCE = 5_000;

/** Something that is stopped for a while and restarted. */
interface Outage {
  stop(): Promise<void>;
  start(): Promise<void>;
  /** How long it is down, in milliseconds. Servers are killed meanwhile, too. */
  readonly forMs: number;
}

const PROMISE =
  'deliver every acknowledged event once and in order to clients that resume by cursor, whatever is killed';

describePrivatePostgres('three servers on one Postgres', () => {
  describe('that wake each other by LISTEN/NOTIFY', () => {
    test(
      PROMISE,
      async () => {
        const postgres = await privatePostgres();
        await prove('LISTEN/NOTIFY', postgres.url, {}, [restartOf(postgres)]);
      },
      PROOF_TIMEOUT_MS,
    );
  });

  describe('that wake each other by Redis', () => {
    test.skipIf(!hasRedis())(
      `${PROMISE} (needs redis-server in the PATH)`,
      async () => {
        const postgres = await privatePostgres();
        const redis = await privateRedis();
        const stop = { ...redis, forMs: Math.min(30_000, atSize(2_000)) };
        await prove('Redis', postgres.url, { REDIS_URL: redis.url }, [stop, restartOf(postgres)]);
      },
      PROOF_TIMEOUT_MS,
    );
  });
});

function restartOf(postgres: Awaited<ReturnType<typeof privatePostgres>>): Outage {
  return { stop: () => postgres.stop('fast'), start: postgres.start, forMs: 0 };
}

async function prove(
  plane: string,
  postgresUrl: string,
  env: Readonly<Record<string, string>>,
  outages: readonly Outage[],
): Promise<void> {
  const databaseUrl = await freshPostgresUrl(postgresUrl);
  const servers = await Promise.all(
    Array.from({ length: SERVERS }, () =>
      startRestartableServer(databaseUrl, { ...env, LOG_LEVEL: 'silent' }),
    ),
  );
  const anywhere = () => oneOf(servers).graphql;
  const began = performance.now();
  const runs: Awaited<ReturnType<typeof startRun>>[] = [];
  for (let index = 0; index < Math.min(40, atSize(8)); index += 1)
    runs.push(await startRun(`run-${index}`, anywhere, index % REPEATED === 0 ? 2 : 1));
  const sent = () => runs.reduce((sum, { script }) => sum + script.length(), 0);

  const kills = await killAndStop(servers, outages, () => sent() >= PROOF_EVENTS);
  for (const { script } of runs) script.end();
  const followers = runs.flatMap((run) => run.followers);
  const producers = runs.flatMap((run) => run.producers);
  await Promise.all([...producers, ...followers.map(({ subscriber }) => subscriber)].map(({ done }) => done));

  const total = (count: (follower: (typeof followers)[number]) => number) =>
    followers.reduce((sum, follower) => sum + count(follower), 0);
  const tally = {
    events: sent(),
    stored: 0,
    delivered: total(({ witness }) => witness.seen()),
    lost: total(({ witness, script }) => script.length() - witness.seen()),
    doubled: total(({ witness }) => witness.doubled()),
  };
  for (const { script } of runs) tally.stored += await eventCount(anywhere(), script.runId);
  if (process.env.RUNFEED_PROOF_SIZE !== undefined || process.env.RUNFEED_PROOF_EVENTS !== undefined) {
    const seconds = Math.round((performance.now() - began) / 1_000);
    const retries = producers.reduce((sum, producer) => sum + producer.retries(), 0);
    const cuts = total(({ subscriber }) => subscriber.cuts.length);
    console.info(
      `three servers, ${plane}: ${tally.events} events of ${producers.length} producers in ${runs.length} runs to ` +
        `${followers.length} subscribers in ${seconds} s, ${kills} kills, ${retries} retries, ${cuts} cuts: ` +
        `${tally.lost} lost, ${tally.doubled} doubled`,
    );
  }
  expect(tally).toEqual({
    events: tally.events,
    stored: tally.events,
    delivered: tally.events * CONNECTIONS.length,
    lost: 0,
    doubled: 0,
  });
}

/**
 * Kills one server after another until enough was sent and every outage has ended. Returns the number of
 * kills.
 */
async function killAndStop(
  servers: readonly RestartableServer[],
  outages: readonly Outage[],
  isEnough: () => boolean,
): Promise<number> {
  let kills = 0;
  async function killOne(): Promise<void> {
    await sleep(Math.random() * LONGEST_LIFE_MS);
    const server = oneOf(servers);
    await server.kill();
    await server.start();
    kills += 1;
  }
  for (const outage of outages) {
    await killOne();
    await outage.stop();
    for (const until = Date.now() + outage.forMs; Date.now() < until; ) await killOne();
    await outage.start();
  }
  while (kills < KILLS_AT_LEAST || !isEnough()) await killOne();
  return kills;
}

/** Creates a run and starts its producers and a subscriber of each kind, all of which use any server. */
async function startRun(runId: string, anywhere: () => string, writers: number) {
  const { body } = await post(anywhere(), CREATE_RUN, { id: runId });
  expect(body.errors).toBeUndefined();
  const script = createEndlessScript(runId);
  const careful = writers === 1;
  const producers = Array.from({ length: writers }, () => startProducer(anywhere, script, { careful }));
  const followers = CONNECTIONS.map((connection) => {
    const witness = createWitness(script);
    const patience = () => Math.ceil(Math.random() * LONGEST_PATIENCE);
    return {
      script,
      witness,
      subscriber: startSubscriber(anywhere, runId, connection, witness.take, patience),
    };
  });
  return { script, producers, followers };
}

async function eventCount(graphql: string, runId: string): Promise<number> {
  const { body } = await post(graphql, 'query ($id: ID!) { run(id: $id) { ended eventCount } }', {
    id: runId,
  });
  const { run } = body.data as unknown as { run: { ended: boolean; eventCount: number } };
  expect(run.ended).toBe(true);
  return run.eventCount;
}

function oneOf<Item>(items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)]!;
}
