import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { fill, ingest, newRun, terminalAt } from '../../support/runs.ts';
import { composeServer } from '../composed-server.ts';

/**
 * Subscribes and leaves in every possible way, and prints what is left as a line of JSON. Arguments: a
 * database URL and the number of cycles. Requires --expose-gc.
 */
const [databaseUrl = '', cycles = ''] = process.argv.slice(2);

const EVENTS = 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq } }';
const UPDATES = 'subscription { runUpdated { id } }';

const server = await composeServer(databaseUrl);
const live = await newRun(server.graphql);
await fill(server.graphql, live, 0, 600);
const ended = await newRun(server.graphql);
await ingest(server.graphql, ended, [terminalAt(0)]);
const lasting = await connect();

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(server.graphql.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  return socket;
}

const subscribe = (id: string, runId: string, query = EVENTS) =>
  JSON.stringify({ id, type: 'subscribe', payload: { query, variables: { runId } } });

/** Resolves to the first message that contains the text. */
function heard(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = (data: unknown) => {
      if (!String(data).includes(text)) return;
      socket.off('message', listen);
      resolve();
    };
    socket.on('message', listen);
  });
}

async function stream(runId: string, read: (response: IncomingMessage) => Promise<unknown>): Promise<void> {
  const sent = request(server.graphql, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  });
  sent.on('error', () => {});
  sent.end(JSON.stringify({ query: EVENTS, variables: { runId } }));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  await read(response);
  sent.destroy();
}

/** Every way to leave. */
const ways: readonly (() => Promise<void>)[] = [
  async () => {
    lasting.send(subscribe('replayed', live));
    await heard(lasting, '"seq":3}');
    lasting.send('{"id":"replayed","type":"complete"}');
  },
  async () => {
    lasting.send(subscribe('unheard', live));
    lasting.send('{"id":"unheard","type":"complete"}');
    lasting.send('{"type":"ping"}');
    await heard(lasting, '"pong"');
  },
  async () => {
    lasting.send(subscribe('ended', ended));
    await heard(lasting, '"complete"');
  },
  async () => {
    lasting.send(subscribe('updates', live, UPDATES));
    lasting.send('{"type":"ping"}');
    await heard(lasting, '"pong"');
    lasting.send('{"id":"updates","type":"complete"}');
  },
  async () => {
    const socket = await connect();
    socket.send(subscribe('1', live));
    await heard(socket, '"next"');
    socket.terminate();
  },
  async () => {
    const socket = await connect();
    socket.send(subscribe('1', live));
    socket.close();
    await once(socket, 'close');
  },
  () => stream(live, (response) => once(response, 'data')),
  () => stream(ended, (response) => once(response.resume(), 'end')),
];

async function leaveAgain(times: number): Promise<void> {
  for (let cycle = 0; cycle < times; cycle += 1) await ways[cycle % ways.length]!();
  for (let tries = 0; server.feed.watchedRuns() > 0 && tries < 500; tries += 1) await sleep(10);
}

async function measure() {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.();
    await sleep(20);
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return {
    heapBytes: process.memoryUsage().heapUsed,
    watchedRuns: server.feed.watchedRuns(),
    listeners: server.listeners(),
    resources,
  };
}

await leaveAgain(1_600);
const before = await measure();
await leaveAgain(Number(cycles));
const after = await measure();
console.log(JSON.stringify({ before, after }));
process.exit(0);
