import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { totalsOf } from '../../src/config/totals.ts';
import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { createOperations } from '../../src/graphql/operations/operations.ts';
import { createRunUpdates } from '../../src/graphql/runs/updates.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createHttpGraphql } from '../../src/server/http/graphql.ts';
import { createHttpServer } from '../../src/server/http/server.ts';
import { createLoad } from '../../src/server/load/load.ts';
import { createInFlight } from '../../src/server/operations/in-flight.ts';
import { createWebsocketTransport } from '../../src/server/websocket/websocket.ts';
import { openStore } from '../../src/store/open.ts';
import { createRunKeys } from '../../src/store/run-keys.ts';
import type { Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { createIdleInbox, createIdleJobs } from '../support/idle-jobs.ts';
import { OPERATOR } from '../support/operator.ts';

/** A server with visible internals: both transports over a store wrapped by `wrap`. */
export interface ComposedServer {
  readonly graphql: string;
  readonly feed: Feed;
  /** Returns the number of listeners on the plane. */
  listeners(): number;
  /** Closes sockets with 1012 and cuts event streams, then closes everything else. */
  close(): Promise<void>;
}

/** Starts a server on this database, on a free port unless one is given. */
export async function composeServer(
  databaseUrl: string,
  { port = 0, wrap = (store: Store) => store } = {},
): Promise<ComposedServer> {
  const real = await openStore(databaseUrl);
  const store = wrap(real);
  const local = createLocalPlane();
  let listeners = 0;
  const wakeups: typeof local = {
    ...local,
    listen: async (run, listener) => {
      listeners += 1;
      const stop = await local.listen(run, listener);
      let stopped = false;
      return () => {
        if (!stopped) listeners -= 1;
        stopped = true;
        stop();
      };
    },
  };
  const feed = createFeed(store, wakeups);
  const ingest = createIngest(store, wakeups);
  const report = (error: unknown) => console.error(error);
  const operations = createOperations(report);
  const jobs = await createIdleJobs(store, ingest, wakeups);
  const native = createIdleInbox(store, ingest, wakeups);
  const runKeys = createRunKeys(store);
  const runUpdates = createRunUpdates(store, wakeups);
  const services = { store, runKeys, runUpdates, wakeups, feed, ingest, jobs, native, version: '0.0.0' };
  const load = createLoad(totalsOf());
  const options = { operations, inFlight: createInFlight(), services, report, load };
  const websocket = createWebsocketTransport({ ...options, authenticate: async () => OPERATOR });
  const { listener, cutStreams } = createHttpGraphql(options);
  const answer: RequestListener = (request, response) => listener(request, response, OPERATOR);
  const http = createHttpServer(load, answer, websocket.upgrade);
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  return {
    graphql: `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
    feed,
    listeners: () => listeners,
    close: async () => {
      const closed = once(http, 'close');
      http.close();
      cutStreams();
      await websocket.close('restart');
      http.closeAllConnections();
      await closed;
      feed.close();
      await jobs.close();
      await ingest.close();
      await real.close();
    },
  };
}
