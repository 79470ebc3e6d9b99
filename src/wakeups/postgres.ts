import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LINK_GOODBYE_MS, LINK_KEEPALIVE_MS, LINK_TIMEOUT_MS, type Link, type OpenLink } from './link.ts';

const CHANNEL = 'runfeed_wakeups';

/**
 * A transaction that notifies gets an id and writes a commit record, and while it waits for the disk it holds
 * a lock that every notifying transaction of the whole cluster needs. Wakes need not survive a crash, so it
 * does not wait.
 */
const SUBSCRIBE = `SET synchronous_commit = off; LISTEN ${CHANNEL}`;

const NOTIFY = {
  name: 'notify',
  text: `SELECT count(pg_notify('${CHANNEL}', message)) FROM unnest($1::text[]) AS message`,
};

/**
 * Opens links over LISTEN and NOTIFY of one database, on a separate connection: on the connections that
 * commit, a NOTIFY would serialize their transactions. One connection does both, so that probes take the same
 * path as wakes. The URL must lead to Postgres itself: a pooler that lends connections per transaction
 * delivers nothing.
 */
export function postgresLink(url: string): OpenLink {
  return async ({ message, broke }, signal) => {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: LINK_TIMEOUT_MS,
      query_timeout: LINK_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: LINK_KEEPALIVE_MS,
      application_name: 'runfeed wake-ups',
    });
    client.on('notification', ({ payload }) => message(payload ?? ''));
    // Without a listener, a broken connection would crash the process.
    client.on('error', broke);
    client.on('end', () => broke(new Error('the connection was closed')));
    const cut = () => client.connection.stream.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      signal.throwIfAborted();
      await client.connect();
      await client.query(SUBSCRIBE);
    } catch (error) {
      cut();
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
    return {
      send: async (messages) => void (await client.query({ ...NOTIFY, values: [messages] })),
      close: () => close(client, cut),
    } satisfies Link;
  };
}

async function close(client: pg.Client, cut: () => void): Promise<void> {
  const goodbye = client.end().catch(() => {});
  await Promise.race([goodbye, sleep(LINK_GOODBYE_MS, undefined, { ref: false })]);
  cut();
}
