import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { describePrivatePostgres, freshPostgresUrl, privatePostgres } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  releaseAfterwards(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function subscribe(socket: WebSocket): Promise<void> {
  socket.send(JSON.stringify({ type: 'connection_init' }));
  await once(socket, 'message');
  const payload = { query: 'subscription { runEvents(runId: "r") { seq } }' };
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
}

const BATCH = { v: 1, runId: 'r', events: [{ seq: 0, tMs: 0, kind: 'notification', data: {} }] };

describe('a server that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s closes its websockets with 1012 and exits with 0',
    async (signal) => {
      const server = await startServe();
      await post(server.graphql, CREATE_RUN, { id: 'r' });
      const sockets = [await openSocket(server.url), await openSocket(server.url)];
      await subscribe(sockets[0]!);
      const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
      server.kill(signal);
      for (const [code, reason] of await closed) {
        expect({ code, reason: String(reason) }).toEqual({ code: 1012, reason: 'Service restart' });
      }
      expect(await server.exit).toMatchObject({ code: 0, stderr: '' });
    },
  );

  test('keeps what it acknowledged', async () => {
    const server = await startServe();
    const DATABASE_URL = server.databaseUrl;
    await post(server.graphql, CREATE_RUN, { id: 'r' });
    await post(server.graphql, INGEST, { b: BATCH });
    server.kill('SIGTERM');
    await server.exit;
    const successor = await startServe({ DATABASE_URL });
    const { body } = await post(successor.graphql, '{ run(id: "r") { eventCount } }');
    expect(body.data).toEqual({ run: { eventCount: 1 } });
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('exits immediately on a second %s, with code %i', async (signal, code) => {
    const server = await startServe();
    const socket = await openSocket(server.url);
    // This client never reads the close frame, so the server would wait for the reply for a while.
    socket.pause();
    server.kill(signal);
    await refusesConnections(server.url);
    // Within 300 ms a second signal counts as the first one, sent to the process and to its group.
    server.kill(signal);
    await sleep(400);
    server.kill(signal);
    expect(await server.exit).toMatchObject({ code });
  });
});

describePrivatePostgres('a server that is told to stop during a request', () => {
  test('answers the request, refuses new connections, and exits with 0', async () => {
    const DATABASE_URL = await freshPostgresUrl((await privatePostgres()).url);
    const SECRET_KEYS = randomBytes(32).toString('base64');
    const server = await startServe({ DATABASE_URL, SECRET_KEYS });
    await post(server.graphql, CREATE_RUN, { id: 'r' });
    const unlock = await lockEvents(DATABASE_URL);
    const answer = post(server.graphql, INGEST, { b: BATCH });
    await someoneWaits(DATABASE_URL);
    server.kill('SIGTERM');
    await refusesConnections(server.url);
    await unlock();
    expect(await answer).toEqual({
      status: 200,
      body: {
        data: { ingestEvents: { __typename: 'IngestEventsSuccess', accepted: 1, duplicates: 0, lastSeq: 0 } },
      },
    });
    expect(await server.exit).toMatchObject({ code: 0, stderr: '' });
  });
});

/** Resolves once the server no longer accepts connections. */
async function refusesConnections(url: string): Promise<void> {
  while (await fetch(`${url}/health`, { headers: { connection: 'close' } }).catch(() => null)) {}
}

/** Blocks all writers until the returned function is called. */
async function lockEvents(databaseUrl: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE event IN EXCLUSIVE MODE');
  return () => client.end();
}

/** Resolves once a statement waits for the lock. */
async function someoneWaits(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const waiting = 'SELECT 1 FROM pg_locks WHERE NOT granted';
  while ((await client.query(waiting)).rowCount === 0) {}
  await client.end();
}
