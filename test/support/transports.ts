import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Totals, totalsOf } from '../../src/config/totals.ts';
import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { FEED_LIMITS } from '../../src/feed/limits.ts';
import { createOperations } from '../../src/graphql/operations/operations.ts';
import { createRunUpdates } from '../../src/graphql/runs/updates.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createHttpGraphql } from '../../src/server/http/graphql.ts';
import { createHttpServer } from '../../src/server/http/server.ts';
import { createLoad, type Load } from '../../src/server/load/load.ts';
import { createInFlight } from '../../src/server/operations/in-flight.ts';

import { createWebsocketTransport } from '../../src/server/websocket/websocket.ts';
import { openStore } from '../../src/store/open.ts';
import { createRunKeys } from '../../src/store/run-keys.ts';
import type { Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { freshSqliteUrl } from './databases.ts';
import { createIdleInbox, createIdleJobs } from './idle-jobs.ts';
import { OPERATOR } from './operator.ts';
import { releaseAfterwards } from './releases.ts';

/** Both transports over a store that the test provides, without the server's guard. */
export interface Transports {
  readonly graphql: string;
  readonly feed: Feed;
  /** Errors reported as unexpected, by the id that the client received. */
  readonly reported: ReadonlyMap<string, unknown>;
  readonly load: Load;
}

/** Starts both transports on a new SQLite store, wrapped by `wrap`, for the duration of the test. */
export async function startTransports(
  wrap: (store: Store) => Store = (store) => store,
  patienceMs: number = FEED_LIMITS.patienceMs,
  totals: Totals = totalsOf(),
): Promise<Transports> {
  const real = await openStore(await freshSqliteUrl());
  const store = wrap(real);
  const wakeups = createLocalPlane();
  const feed = createFeed(store, wakeups, { ...FEED_LIMITS, patienceMs });
  const ingest = createIngest(store, wakeups);
  const reported = new Map<string, unknown>();
  const report = (error: unknown, errorId: string) => void reported.set(errorId, error);
  const operations = createOperations(report, totals);
  const jobs = await createIdleJobs(store, ingest, wakeups);
  const native = createIdleInbox(store, ingest, wakeups);
  const runKeys = createRunKeys(store);
  const runUpdates = createRunUpdates(store, wakeups);
  const services = { store, runKeys, runUpdates, wakeups, feed, ingest, jobs, native, version: '0.0.0' };
  const load = createLoad(totals);
  const options = { operations, inFlight: createInFlight(), services, report, load };
  const websocket = createWebsocketTransport({ ...options, authenticate: async () => OPERATOR });
  const { listener } = createHttpGraphql(options);
  const answer: RequestListener = (request, response) => listener(request, response, OPERATOR);
  const http = createHttpServer(load, answer, websocket.upgrade);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  releaseAfterwards(async () => {
    await websocket.close('restart');
    http.close();
    http.closeAllConnections();
    feed.close();
    await jobs.close();
    await ingest.close();
    await real.close();
  });
  const { port } = http.address() as AddressInfo;
  return { graphql: `http://127.0.0.1:${port}/graphql`, feed, reported, load };
}
