import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { WebSocket } from 'ws';
import { type Audience, openAudience } from './audience.ts';
import { eventAt, prepareEvents } from './batches.ts';
import { listeningUrl, startProgram } from './child.ts';
import { createRuns, followPayload } from './documents.ts';
import { type Entrant, type Goal, onlyLine, type Row } from './row.ts';
import type { Target } from './target.ts';
import { openWriter } from './writer.ts';

/** Batches in progress at once: enough that no server waits for the client, few enough that none pile up. */
const BATCHES_UNDER_WAY = 2;

/** How many subscribers follow one run, and in what batches its events arrive. */
export interface FanOutShape {
  readonly subscribers: number;
  readonly batchSize: number;
}

/**
 * How the raw broadcast writes: each message separately, or all messages that one subscriber gets at once in
 * one write.
 */
export type RawBroadcast = 'each' | 'gathered';

/**
 * Messages per second that all websocket subscribers of one run receive together, at one event per message.
 */
export function fanOutRow(shape: FanOutShape, goals: readonly Goal[]): Row {
  return {
    title: `fan-out, ${shape.batchSize} a batch, ${shape.subscribers} subscribers`,
    baseline: 'raw ws, one prepared buffer, a write for each message',
    lines: onlyLine('messages/s', goals),
    rhythm: 'rounds',
    enter: async (stage) => [
      await enterTarget(await stage.target('ours'), shape),
      await enterTarget(await stage.target('stock'), shape),
      await enterBroadcast(shape, 'each'),
    ],
  };
}

/** This server compared with a raw broadcast that also gathers: the cost above that of the sockets. */
export function gatheredFanOutRow(shape: FanOutShape): Row {
  return {
    title: `fan-out, ${shape.batchSize} a batch, ${shape.subscribers} subscribers, gathered`,
    baseline: 'raw ws, one prepared buffer, a write for each batch',
    lines: onlyLine('messages/s', []),
    rhythm: 'rounds',
    enter: async (stage) => [
      await enterTarget(await stage.target('ours'), shape, '-gathered'),
      await enterBroadcast(shape, 'gathered'),
    ],
  };
}

async function enterTarget(
  { contestant, graphqlUrl }: Target,
  { subscribers, batchSize }: FanOutShape,
  variant = '',
): Promise<Entrant> {
  const runId = `fan-out-${batchSize}${variant}`;
  await createRuns(graphqlUrl, [runId]);
  const url = graphqlUrl.replace('http', 'ws');
  const audience = await openAudience(url, subscribers, 'graphql-transport-ws');
  for (const socket of audience.sockets) socket.send('{"type":"connection_init"}');
  await audience.reached(subscribers);
  for (const socket of audience.sockets) {
    socket.send(`{"id":"1","type":"subscribe","payload":${followPayload(runId)}}`);
  }
  const writer = await openWriter(graphqlUrl, 'websocket');
  const events = prepareEvents(batchSize, 1_000);
  let batches = 0;
  const publish = async (): Promise<void> => {
    await writer.send(runId, events.batch(batches));
    batches += 1;
  };
  // Nothing signals that a subscription has started, and the pub/sub way has no history. So events must be
  // sent until every subscriber receives them.
  const upToDate = () =>
    audience.sockets.every((socket) => lastSeq(socket.lastText()) === batches * batchSize - 1);
  for (let tries = 0; batches === 0 || !upToDate(); tries += 1) {
    if (tries > 20) throw new Error(`${contestant}: some subscribers receive nothing`);
    await publish();
    await quiet(audience);
  }
  // The other subscribers only count. This one verifies that every event arrives once, in order, with its
  // contents.
  const witnessed: string[] = [];
  audience.sockets[0]!.witness((text) => witnessed.push(text));
  return {
    contestant,
    round: async (ms) => {
      witnessed.length = 0;
      const first = batches * batchSize;
      const rate = await publishUntil(performance.now() + ms, audience, batchSize, publish);
      if (!upToDate()) throw new Error(`${contestant}: a subscriber’s last event is not the last one sent`);
      const wrong = witnessed.findIndex((text, index) => !isDelivered(text, eventAt(first + index)));
      if (wrong >= 0) throw new Error(`${contestant}: event ${first + wrong} arrived as ${witnessed[wrong]}`);
      return [rate];
    },
    close: async () => {
      writer.close();
      audience.close();
    },
  };
}

/** Starts a raw broadcast of exactly the bytes that a subscriber to single events receives. */
async function enterBroadcast(
  { subscribers, batchSize }: FanOutShape,
  writes: RawBroadcast,
): Promise<Entrant> {
  const child = startProgram('broadcast-server.ts', { GATHER: writes === 'gathered' ? '1' : '0' });
  const url = (await listeningUrl(child)).replace('http', 'ws');
  const audience = await openAudience(url, subscribers, null);
  const publisher = new WebSocket(`${url}/publish`, { perMessageDeflate: false });
  await once(publisher, 'open');
  publisher.send(JSON.stringify({ id: '1', type: 'next', payload: { data: { runEvents: eventAt(5_000) } } }));
  return {
    contestant: 'baseline',
    round: async (ms) => [
      await publishUntil(performance.now() + ms, audience, batchSize, async () =>
        publisher.send(String(batchSize)),
      ),
    ],
    close: async () => {
      publisher.terminate();
      audience.close();
      await child.stop();
    },
  };
}

async function publishUntil(
  deadline: number,
  audience: Audience,
  batchSize: number,
  publish: () => Promise<void>,
): Promise<number> {
  const startedAt = performance.now();
  const before = audience.total();
  const each = audience.sockets.map((socket) => socket.texts());
  const perBatch = audience.sockets.length * batchSize;
  let batches = 0;
  while (performance.now() < deadline) {
    await publish();
    batches += 1;
    await audience.reached(before + perBatch * (batches - BATCHES_UNDER_WAY + 1));
  }
  await audience.reached(before + perBatch * batches);
  const elapsedMs = performance.now() - startedAt;
  const wrong = audience.sockets.filter(
    (socket, index) => socket.texts() !== each[index]! + batches * batchSize,
  );
  if (wrong.length > 0) throw new Error(`${wrong.length} subscribers received too many or too few messages`);
  return ((perBatch * batches) / elapsedMs) * 1_000;
}

/** Resolves after a while without messages. */
async function quiet(audience: Audience): Promise<void> {
  for (let before = -1; before !== audience.total(); ) {
    before = audience.total();
    await sleep(200);
  }
}

function isDelivered(message: string, event: ReturnType<typeof eventAt>): boolean {
  const { payload } = JSON.parse(message) as { payload?: unknown };
  return isDeepStrictEqual(payload, { data: { runEvents: event } });
}

function lastSeq(message: string): number {
  const { payload } = JSON.parse(message) as { payload?: { data?: { runEvents?: { seq: number } } } };
  return payload?.data?.runEvents?.seq ?? -1;
}
