import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, test } from 'vitest';
import type { OpenLink } from '../../src/wakeups/link.ts';
import type { PlaneConfig } from '../../src/wakeups/open.ts';
import { postgresLink } from '../../src/wakeups/postgres.ts';
import { redisLink } from '../../src/wakeups/redis.ts';
import { describePostgres, freshPostgresUrl } from '../support/databases.ts';
import { execute } from '../support/sql.ts';
import { type BreakableConnection, breakableConnection } from './breakable-connection.ts';

/** The Redis server for tests, such as `redis://127.0.0.1:6379`. Empty if there is none. */
const testRedisUrl = process.env.TEST_REDIS_URL ?? '';

/** A service that carries wakes between processes. */
export interface Carrier {
  /** Returns the configuration of a plane that no other test uses. */
  fresh(): Promise<PlaneConfig>;
  /** Returns the same configuration over a connection that can be broken. */
  breakable(
    config: PlaneConfig,
  ): Promise<{ readonly config: PlaneConfig; readonly way: BreakableConnection }>;
  /** Returns the link that a plane of that configuration uses, to listen in on it. */
  link(config: PlaneConfig): OpenLink;
  /** Makes the server close the connections from these ports. */
  kill(config: PlaneConfig, ports: readonly number[]): Promise<void>;
}

const postgres: Carrier = {
  fresh: async () => ({ databaseUrl: await freshPostgresUrl(), redisUrl: null }),
  breakable: async ({ databaseUrl }) => {
    const way = await breakableConnection(databaseUrl, 5432);
    return { config: { databaseUrl: way.url, redisUrl: null }, way };
  },
  link: ({ databaseUrl }) => postgresLink(databaseUrl),
  kill: async ({ databaseUrl }, ports) => {
    const list = ports.join(',');
    await execute(
      databaseUrl,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port IN (${list})`,
    );
  },
};

const redis: Carrier = {
  // Only the name of the database is used.
  fresh: async () => ({ databaseUrl: `postgresql://nowhere/${randomUUID()}`, redisUrl: testRedisUrl }),
  breakable: async ({ databaseUrl }) => {
    const way = await breakableConnection(testRedisUrl, 6379);
    return { config: { databaseUrl, redisUrl: way.url }, way };
  },
  link: ({ databaseUrl, redisUrl }) => redisLink(redisUrl ?? testRedisUrl, new URL(databaseUrl).pathname),
  kill: async (_config, ports) => {
    const client = new Redis(testRedisUrl);
    const known = (await client.client('LIST')) as string;
    for (const port of ports) {
      const address = new RegExp(`\\baddr=(\\S+:${port})\\b`).exec(known)?.[1];
      if (address) await client.client('KILL', 'ADDR', address);
    }
    client.disconnect();
  },
};

/** Runs a suite for each carrier whose server is configured in the environment. */
export function describeCarriers(name: string, suite: (carrier: Carrier) => void): void {
  describePostgres(`${name} (Postgres)`, () => suite(postgres));
  describe(`${name} (Redis)`, () => {
    if (testRedisUrl) suite(redis);
    else test.skip('set TEST_REDIS_URL to run it', () => {});
  });
}

/** The URL of the Redis server for tests, or undefined if there is none. */
export const redisUrl: string | undefined = testRedisUrl || undefined;
