import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { LINK_GOODBYE_MS, LINK_KEEPALIVE_MS, LINK_TIMEOUT_MS, type OpenLink } from './link.ts';

/**
 * Opens links over plain Redis pub/sub on one channel. More channels would save nothing, since every process
 * needs the wakes of every run (for `runUpdated`), and a message of a few thousand bytes covers hundreds of
 * runs.
 *
 * Run keys are valid in one database only and a Redis may serve several, so the channel is named after the
 * database. A subscribed connection cannot publish, hence two connections.
 */
export function redisLink(url: string, database: string): OpenLink {
  const channel = `runfeed:wakeups:${createHash('sha256').update(database).digest('hex').slice(0, 16)}`;
  return async ({ message, broke }, signal) => {
    const connections = [connection(url, 'publish'), connection(url, 'subscribe')] as const;
    const [publisher, subscriber] = connections;
    let last: Error | null = null;
    for (const each of connections) {
      // `error` gives the reason, `end` the fact. Without an `error` listener, ioredis writes errors to the
      // console.
      each.on('error', (error: Error) => {
        last = error;
      });
      each.on('end', () => broke(last ?? new Error('the connection was closed')));
    }
    subscriber.on('message', (_channel: string, text: string) => message(text));
    const cut = () => {
      for (const each of connections) each.disconnect();
    };
    signal.addEventListener('abort', cut, { once: true });
    try {
      signal.throwIfAborted();
      await Promise.all(connections.map((each) => each.connect()));
      await subscriber.subscribe(channel);
    } catch (error) {
      cut();
      // Every command only says "Connection is closed."; the reason came earlier.
      throw last ?? error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
    return {
      send: async (messages) => {
        await Promise.all(messages.map((text) => publisher.publish(channel, text)));
      },
      close: async () => cut(),
    };
  };
}

/** Creates a connection that never reconnects: reopening is the keeper's task. */
function connection(url: string, purpose: string): Redis {
  return new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: LINK_TIMEOUT_MS,
    commandTimeout: LINK_TIMEOUT_MS,
    disconnectTimeout: LINK_GOODBYE_MS,
    keepAlive: LINK_KEEPALIVE_MS,
    connectionName: `runfeed-wake-ups-${purpose}`,
  });
}
