import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createProve } from '../auth/admin-proof.ts';
import { readAdminToken } from '../auth/admin-token.ts';
import { createAuthenticate } from '../auth/authenticate.ts';
import { createRunTokens } from '../auth/tokens.ts';
import type { Config } from '../config/env.ts';
import { totalsOf } from '../config/totals.ts';
import { createFeed } from '../feed/feed.ts';
import { FEED_LIMITS } from '../feed/limits.ts';
import { createOperations } from '../graphql/operations/operations.ts';
import { createRunUpdates } from '../graphql/runs/updates.ts';
import { createIngest, INGEST_LIMITS } from '../ingest/ingest.ts';
import { createJobs } from '../jobs/jobs.ts';
import { createReleasers } from '../lib/releasers.ts';
import { createKeyring } from '../lib/secrets/keyring.ts';
import { startingWith } from '../lib/start-fault.ts';
import { openNativeInbox } from '../native/inbox.ts';
import { type RetentionOptions, startRetention } from '../retention/retention.ts';
import { openStore, type StoreListener } from '../store/open.ts';
import { createRunKeys } from '../store/run-keys.ts';
import { watchEnds } from '../wakeups/ends.ts';
import { openPlane } from '../wakeups/open.ts';
import { graphiqlPage } from './graphiql/page.ts';
import { createHttpGraphql } from './http/graphql.ts';
import { createGuard } from './http/guard.ts';
import { route, upgradeTo } from './http/routes.ts';
import { createHttpServer } from './http/server.ts';
import { boundConnections } from './load/connections.ts';
import { createLoad } from './load/load.ts';
import { openRunners, readSecretKeys } from './open-runners.ts';
import { createInFlight } from './operations/in-flight.ts';
import { ownSecrets } from './own-secrets.ts';
import { VERSION } from './version.ts';
import { createWebsocketTransport } from './websocket/websocket.ts';

/**
 * Connections that the kernel holds until they are accepted; it may allow fewer. Node's default is 511: when thousands
 * connect at once, the rest try again only after a second.
 */
const MAX_BACKLOG = 4_096;

/** How long a shutdown waits for requests in progress. */
const DRAIN_MS = 10_000;
/** How long a shutdown then waits for HTTP responses to reach their clients. */
const CLOSE_MS = 2_000;

/** A server that is listening. */
export interface RunningServer {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /**
   * Finishes requests in progress, closes sockets with 1012, then closes the store. Further calls wait for
   * the same shutdown.
   */
  close(): Promise<void>;
}

/** Options of a server that do not come from its environment. */
export interface ServerOptions {
  /** The run that GraphiQL's tabs follow. Set on a demo's server. */
  readonly demoRunId?: string;
  /** Times of retention that differ from the defaults. Set only in tests. */
  readonly retention?: Pick<RetentionOptions, 'proofMs'>;
}

/**
 * Starts a complete server: store, ingest, feed, jobs, and GraphQL over HTTP, SSE and websocket. Rejects with
 * a `StartFault` that names the variable to change if the configuration cannot be used.
 */
export async function startServer(
  config: Config,
  log: Logger,
  { demoRunId, retention: retentionTimes }: ServerOptions = {},
): Promise<RunningServer> {
  const releasers = createReleasers();
  try {
    const store = await startingWith('DATABASE_URL', () => openStore(config.databaseUrl, storeListener(log)));
    releasers.add(() => store.close());
    const retention = startRetention(store, {
      ...retentionTimes,
      days: config.retentionDays,
      onRemoved: (runs) => log.info({ runs }, 'removed the history of old runs'),
      onError: (err) => log.warn({ err }, 'failed to remove old history; retrying later'),
    });
    releasers.add(() => retention.close());
    const wakeups = await openPlane(config, log);
    releasers.add(() => wakeups.close());
    const totals = totalsOf();
    const feed = createFeed(store, wakeups, {
      ...FEED_LIMITS,
      cachedPageBytes: totals.feedCacheBytes,
      ringsBytes: totals.feedRingBytes,
    });
    wakeups.onGap(() => void feed.poll());
    releasers.add(() => feed.close());
    if (wakeups.isRemote) {
      const ends = await watchEnds({ store, wakeups });
      releasers.add(() => ends.close());
    }
    const { maxRunEvents, maxRunBytes } = config;
    const ingestLimits = { ...INGEST_LIMITS, maxWaitingBytes: totals.ingestBytes, maxRunEvents, maxRunBytes };
    const ingest = createIngest(store, wakeups, ingestLimits);
    releasers.add(() => ingest.close());

    const report = (err: unknown, errorId: string) => log.error({ err, errorId }, 'unexpected error');
    const operations = createOperations(report);
    const keys = await startingWith('SECRET_KEYS', () => readSecretKeys(config));
    const keyring = createKeyring(keys);
    const tokens = createRunTokens(keyring);
    const { adminTokenFile } = config;
    const adminToken =
      adminTokenFile === null
        ? null
        : await startingWith('ADMIN_TOKEN_FILE', () => readAdminToken(adminTokenFile));
    // A proxy that answers at PUBLIC_URL also connects from loopback, so only a token identifies the client.
    const authenticate = createAuthenticate({
      tokens,
      adminToken,
      trustsLoopback: config.publicUrl === null,
    });
    // Known once the server listens. No job is looked after before that.
    let url = '';
    const jobs = await createJobs({
      store,
      ingest,
      wakeups,
      keyring,
      tokens,
      ownSecrets: ownSecrets(config, keys, adminToken),
      log,
      ...(await startingWith('RUNNERS_FILE', () => openRunners(config, store, log))),
      apiBase: () => config.publicUrl?.origin ?? url,
      sweep: config.orphanSweep,
      patienceMs: FEED_LIMITS.patienceMs,
    });
    releasers.add(() => jobs.close());
    const native = openNativeInbox({ store, ingest, wakeups, keyring, config: config.native, log });
    releasers.add(() => native.close());
    const runKeys = createRunKeys(store);
    const runUpdates = createRunUpdates(store, wakeups);
    const services = { store, wakeups, feed, ingest, jobs, native, version: VERSION, runKeys, runUpdates };
    const inFlight = createInFlight();
    const load = createLoad(totals);
    const graphql = createHttpGraphql({
      operations,
      inFlight,
      services,
      report,
      load,
    });
    const websocket = createWebsocketTransport({
      operations,
      inFlight,
      services,
      authenticate,
      report,
      load,
    });
    const guard = createGuard(config.publicUrl);

    const answer = route({
      guard,
      authenticate,
      prove: createProve(adminToken),
      graphql: graphql.listener,
      graphiql: () => graphiqlPage({ demoRunId: demoRunId ?? null, needsToken: config.publicUrl !== null }),
      store,
      inFlight,
    });
    const http = createHttpServer(load, answer, upgradeTo({ guard, websocket, inFlight }));
    boundConnections(http, totals.connections, log);
    // Released in reverse: new connections, requests in progress, streams and sockets, remaining HTTP
    // connections.
    let stopped: Promise<unknown> = Promise.resolve();
    releasers.add(async () => {
      await within(CLOSE_MS, stopped);
      http.closeAllConnections();
    });
    releasers.add(() => {
      graphql.cutStreams();
      return websocket.close('restart');
    });
    releasers.add(async () => {
      if (!(await within(DRAIN_MS, inFlight.drain())))
        log.warn('stopping while requests are still in progress');
    });
    http.listen({ port: config.port, host: config.host, backlog: MAX_BACKLOG });
    await startingWith('PORT', () => once(http, 'listening'));
    releasers.add(() => {
      stopped = once(http, 'close');
      http.close();
    });
    const { port } = http.address() as AddressInfo;
    url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
    jobs.lookAfter();
    native.lookAfter();
    log.info({ url, store: store.dialect, version: VERSION }, 'listening');
    return { url, close: () => releasers.release() };
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

/** Logs trouble with the store: one line when it begins and one when it ends, not one per call. */
function storeListener(log: Logger): StoreListener {
  return {
    onFailing: (reason) => log.error({ reason }, `the store is failing: ${reason}`),
    onRecovered: (trouble) => log.info(trouble, 'the store has recovered'),
    // If there is trouble, the next call that needs the connection fails and reports it.
    onBrokenConnection: (err) => log.debug({ err }, 'an idle database connection broke and will be replaced'),
  };
}

/** Resolves to true if the work finishes in time. Late work is not cancelled. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(milliseconds, false, { signal: timer.signal }).catch(() => false);
  const done = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return done;
}
