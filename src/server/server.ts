import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createAuthenticate } from '../auth/authenticate.ts';
import { createRunTokens } from '../auth/tokens.ts';
import type { Config } from '../config/env.ts';
import { createFeed } from '../feed/feed.ts';
import { FEED_LIMITS } from '../feed/limits.ts';
import { createOperations } from '../graphql/operations.ts';
import { createIngest } from '../ingest/ingest.ts';
import { createJobs } from '../jobs/jobs.ts';
import { createReleasers } from '../lib/releasers.ts';
import { openNativeInbox } from '../native/inbox.ts';
import { startRetention } from '../retention/retention.ts';
import { openStore } from '../store/open.ts';
import { createRunKeys } from '../store/run-keys.ts';
import { openPlane } from '../wakeups/open.ts';
import { createGuard } from './guard.ts';
import { createHttpGraphql } from './http-graphql.ts';
import { createInFlight } from './in-flight.ts';
import { openKeyring, openRunners } from './open-runners.ts';
import { route, upgrade } from './routes.ts';
import { VERSION } from './version.ts';
import { createWebsocketTransport } from './websocket.ts';

/** How long a stop waits for answers that are under way. */
const DRAIN_MS = 10_000;
/** How long it then waits for HTTP responses to reach their clients. */
const CLOSE_MS = 2_000;

/** A server that listens. */
export interface RunningServer {
  /** Where it is reached, without a slash at the end. */
  readonly url: string;
  /** Finishes what is under way, closes sockets with 1012, then the store. Calling it again waits for the same. */
  close(): Promise<void>;
}

/** What a server is started with that its environment does not say. */
export interface ServerOptions {
  /** The run that GraphiQL's tabs follow, on a demo's server. */
  readonly demoRunId?: string;
}

/** Starts a whole server: store, ingest, feed, GraphQL over HTTP, SSE and websocket. */
export async function startServer(
  config: Config,
  log: Logger,
  { demoRunId }: ServerOptions = {},
): Promise<RunningServer> {
  const releasers = createReleasers();
  try {
    const store = await openStore(config.databaseUrl, (error) =>
      log.warn({ err: error }, 'an idle database connection broke'),
    );
    releasers.add(() => store.close());
    const retention = startRetention(store, {
      days: config.retentionDays,
      onRemoved: (runs) => log.info({ runs }, 'removed the history of runs that ended long ago'),
      onError: (err) => log.warn({ err }, 'removing old history failed; it goes on at the next try'),
    });
    releasers.add(() => retention.close());
    const wakeups = await openPlane(config, log);
    releasers.add(() => wakeups.close());
    const feed = createFeed(store, wakeups);
    wakeups.onGap(() => void feed.poll());
    releasers.add(() => feed.close());
    const ingest = createIngest(store, wakeups);
    releasers.add(() => ingest.close());

    const report = (err: unknown, errorId: string) => log.error({ err, errorId }, 'unexpected error');
    const operations = createOperations(report);
    const keyring = openKeyring(config);
    const tokens = createRunTokens(keyring);
    const authenticate = createAuthenticate(tokens);
    // Known once the server listens; no job is looked after before that.
    let url = '';
    const jobs = await createJobs({
      store,
      ingest,
      wakeups,
      keyring,
      tokens,
      log,
      ...(await openRunners(config, log)),
      apiBase: () => config.publicUrl?.origin ?? url,
      sweep: config.orphanSweep,
      patienceMs: FEED_LIMITS.patienceMs,
    });
    releasers.add(() => jobs.close());
    const native = openNativeInbox({ store, ingest, wakeups, keyring, config: config.native, log });
    releasers.add(() => native.close());
    const runKeys = createRunKeys(store);
    const services = { store, wakeups, feed, ingest, jobs, native, version: VERSION, runKeys };
    const inFlight = createInFlight();
    const graphql = createHttpGraphql({
      operations,
      inFlight,
      services,
      report,
    });
    const websocket = createWebsocketTransport({
      operations,
      inFlight,
      services,
      authenticate,
      report,
    });
    const guard = createGuard(config.publicUrl);

    const http = createServer(
      route({
        guard,
        authenticate,
        graphql: graphql.listener,
        store,
        inFlight,
        log,
        demoRunId: demoRunId ?? null,
      }),
    );
    http.on('upgrade', (request: IncomingMessage, stream: Socket, head: Buffer) => {
      upgrade({ guard, websocket, inFlight }, request, stream, head);
    });
    // In reverse: no new connections, what is being answered, the streams and sockets, what is left of HTTP.
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
      if (!(await within(DRAIN_MS, inFlight.drain()))) log.warn('stopping with answers still under way');
    });
    http.listen(config.port, config.host);
    await once(http, 'listening');
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

/** Whether the work was done in time. It is not cancelled. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(milliseconds, false, { signal: timer.signal }).catch(() => false);
  const done = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return done;
}
