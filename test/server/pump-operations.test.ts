import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { codesOf } from '../support/error-codes.ts';
import { eventsFrom, eventually, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { type Message, openWebsocket, streamOf } from '../support/websocket-client.ts';

const EVENTS =
  'subscription ($runId: ID!, $after: SafeInt) { runEvents(runId: $runId, after: $after) { seq data } }';
const BATCHES =
  'subscription ($runId: ID!, $max: Int) { runEventBatches(runId: $runId, maxEvents: $max) { events { seq data } } }';
const NUMBERS = 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq } }';

const range = (count: number) => Array.from({ length: count }, (_, seq) => seq);

/** Returns the event numbers in a `next` message of either subscription. */
function numbersIn({ payload }: Message): number[] {
  const { data } = payload as {
    data: { runEvents?: { seq: number }; runEventBatches?: { events: { seq: number }[] } };
  };
  const events = data.runEventBatches?.events ?? (data.runEvents ? [data.runEvents] : []);
  return events.map(({ seq }) => seq);
}

async function drainsWithin(stream: Socket, milliseconds: number): Promise<boolean> {
  const late = new AbortController();
  const drained = once(stream, 'drain', { signal: late.signal }).then(
    () => true,
    () => false,
  );
  const timer = setTimeout(() => late.abort(), milliseconds);
  return drained.finally(() => clearTimeout(timer));
}

describe('several operations on one socket', () => {
  test('each get all of their results, between pings and answers to queries', async () => {
    const { graphql } = await startTransports();
    const runs = [await newRun(graphql), await newRun(graphql)];
    const big = { text: '€'.repeat(30_000) };
    for (const runId of runs) {
      await fill(graphql, runId, 0, 2_000);
      await ingest(graphql, runId, [{ seq: 2_000, tMs: 2_000, kind: 'notification', data: big }]);
      await ingest(graphql, runId, [terminalAt(2_001)]);
    }
    const client = await openWebsocket(graphql);
    const operations = runs.flatMap((runId, run) => [
      { id: `events "${run}"`, query: EVENTS, variables: { runId } },
      { id: `all in batches ${run}`, query: BATCHES, variables: { runId } },
      { id: `one a batch ${run}`, query: BATCHES, variables: { runId, max: 1 } },
      { id: `numbers \u0000 ${run}`, query: NUMBERS, variables: { runId } },
    ]);
    for (const { id, query, variables } of operations) client.subscribe(id, query, variables);
    const seen = new Map(operations.map(({ id }) => [id, [] as number[]]));
    let open = operations.length;
    let asked = 0;
    let answered = 0;
    for (let messages = 0; open > 0 || answered < asked; messages += 1) {
      const message = await client.next();
      if (messages % 100 === 0 && open > 0) {
        asked += 2;
        client.send({ type: 'ping', payload: { messages } });
        client.subscribe(`query ${messages}`, '{ __typename }');
      }
      const { type, id = '' } = message;
      if (type === 'pong') answered += 1;
      else if (id.startsWith('query')) answered += type === 'complete' ? 1 : 0;
      else if (type === 'complete') open -= 1;
      else seen.get(id)?.push(...numbersIn(message));
    }
    for (const numbers of seen.values()) expect(numbers).toEqual(range(2_002));
  });

  test('can be as many as allowed without a warning from Node', async () => {
    const warnings: Error[] = [];
    const heard = (warning: Error) => void warnings.push(warning);
    process.on('warning', heard);
    onTestFinished(() => void process.off('warning', heard));
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const data = { text: 'x'.repeat(200_000) };
    await ingest(
      graphql,
      runId,
      eventsFrom(0, 20).map((event) => ({ ...event, data })),
    );
    await ingest(graphql, runId, [terminalAt(20)]);
    const client = await openWebsocket(graphql);
    for (let id = 0; id < 50; id += 1) client.subscribe(String(id), EVENTS, { runId });
    for (let completed = 0; completed < 50; ) if ((await client.next()).type === 'complete') completed += 1;
    expect(warnings).toEqual([]);
  });
});

describe('a client that stops a long replay', () => {
  test('with complete gets nothing more of it, and its socket keeps working', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    await fill(graphql, runId, 0, 20_000);
    const client = await openWebsocket(graphql);
    for (let round = 0; round < 5; round += 1) {
      client.subscribe('replay', EVENTS, { runId });
      for (let count = 0; count < 300 * (round + 1); count += 1) {
        expect(numbersIn(await client.next())).toEqual([count]);
      }
      client.send({ id: 'replay', type: 'complete' });
      client.send({ type: 'ping' });
      while ((await client.next()).type !== 'pong');
      await eventually(() => feed.watchedRuns() === 0);
      client.send({ type: 'ping' });
      expect((await client.next()).type).toBe('pong');
    }
  });

  test('by disconnecting leaves nothing behind', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    await fill(graphql, runId, 0, 20_000);
    const client = await openWebsocket(graphql);
    client.subscribe('1', EVENTS, { runId });
    await client.next();
    client.socket.terminate();
    await eventually(() => feed.watchedRuns() === 0);
  });

  test('and immediately starts another with the same id leaves nothing behind', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    const subscribe = JSON.stringify({
      id: '1',
      type: 'subscribe',
      payload: { query: NUMBERS, variables: { runId } },
    });
    const complete = JSON.stringify({ id: '1', type: 'complete' });
    const stream = streamOf(client);
    stream.cork();
    for (const text of [subscribe, complete, subscribe, complete, subscribe]) client.send(text);
    stream.uncork();
    await eventually(() => feed.watchedRuns() === 1);
    client.socket.terminate();
    await eventually(() => feed.watchedRuns() === 0);
  });
});

describe('while operations wait for turns of the loop', () => {
  test('a client that ends one and starts another with its id gets the other’s events, and later answers', async () => {
    const { graphql, feed, load } = await startTransports();
    const runs = [await newRun(graphql), await newRun(graphql)] as const;
    for (const runId of runs) await fill(graphql, runId, 0, 1);
    const others = {};
    let isBusy = true;
    const takeTurns = () => {
      if (!isBusy) return;
      void load.operations.take(others, 64);
      setImmediate(takeTurns);
    };
    takeTurns();
    const client = await openWebsocket(graphql);
    const subscribe = (runId: string) => ({
      id: 'x',
      type: 'subscribe',
      payload: {
        query: 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq } }',
        variables: { runId },
      },
    });
    for (let round = 0; round < 5; round += 1) {
      client.send(subscribe(runs[0]));
      client.send({ id: 'x', type: 'complete' });
      client.send(subscribe(runs[1]));
      client.subscribe(`y${round}`, '{ __typename }');
      for (let message = await client.next(); message.id !== `y${round}`; message = await client.next());
      await eventually(() => feed.watchedRuns() === 1);
      client.send({ id: 'x', type: 'complete' });
    }
    isBusy = false;
  });
});

describe('a client that would make the server hold much memory', () => {
  test('with an id of megabytes is refused', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    await fill(graphql, runId, 0, 256);
    const client = await openWebsocket(graphql);
    const id = 'x'.repeat(1_000_000);
    client.subscribe(id, NUMBERS, { runId });
    const refusal = await client.next();
    expect(refusal.type).toBe('error');
    expect(codesOf(refusal.payload)).toEqual(['BAD_USER_INPUT']);
    client.subscribe('x'.repeat(256), NUMBERS, { runId });
    expect(numbersIn(await client.next())).toEqual([0]);
  });

  test('by sending pings without reading the pongs is not read further until it has read them', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    client.socket.pause();
    const stream = streamOf(client);
    const ping = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(900) } });
    const some = 500;
    // The kernel's buffers hold some megabytes in both directions. What does not fit waits here.
    let sent = 0;
    let held = false;
    while (!held && sent < 100_000) {
      for (let pings = 0; pings < some; pings += 1) client.socket.send(ping);
      sent += some;
      held = stream.writableNeedDrain && !(await drainsWithin(stream, 1_000));
    }
    expect(held).toBe(true);
    client.socket.resume();
    client.subscribe('after all', '{ __typename }');
    const rest: string[] = [];
    // Includes the answer and the end of the query.
    while (rest.length < sent + 2) rest.push((await client.next()).type);
    expect(rest.filter((type) => type === 'pong')).toHaveLength(sent);
  });
});
