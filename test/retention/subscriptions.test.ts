import { beforeAll, describe, expect, test } from 'vitest';
import { createSweeper } from '../../src/retention/sweep.ts';
import type { Store } from '../../src/store/store.ts';
import { describeStores } from '../support/databases.ts';
import { openEventStream } from '../support/event-stream.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';
import { NEVER } from './ended-runs.ts';

const EVENTS =
  'subscription ($runId: ID!, $after: SafeInt) { runEvents(runId: $runId, after: $after) { seq } }';
const BATCHES = `subscription ($runId: ID!, $after: SafeInt) {
  runEventBatches(runId: $runId, after: $after) { events { seq } cursor caughtUp ended gap { fromSeq toSeq reason } }
}`;
const RUN = `query ($runId: ID!) { run(id: $runId) {
  ended eventCount lastSeq terminal { seq kind data } events(first: 10) { edges { node { seq } } pageInfo { hasNextPage } }
  latest: events(last: 10) { edges { node { seq } } pageInfo { hasPreviousPage } }
} }`;

interface Batch {
  readonly events: readonly { readonly seq: number }[];
  readonly cursor: number;
  readonly ended: boolean;
  readonly gap: { readonly fromSeq: number; readonly toSeq: number } | null;
}

describeStores('retention, as subscribers see it', ({ dialect, freshUrl, open }) => {
  let graphql: string;
  let store: Store;
  beforeAll(async () => {
    if (dialect === 'sqlite') {
      const transports = await startTransports((opened) => {
        store = opened;
        return opened;
      });
      graphql = transports.graphql;
      return;
    }
    // The process that removes is not the one that serves the subscription.
    const DATABASE_URL = await freshUrl();
    const server = await startTestServer({ DATABASE_URL });
    releaseAfterwards(() => server.close());
    graphql = server.graphql;
    store = await open(DATABASE_URL);
  });

  const removeAll = () => createSweeper(store).sweep(Date.now() + 1, NEVER);

  async function removedRun(): Promise<string> {
    const runId = await newRun(graphql);
    await ingest(graphql, runId, [...eventsFrom(0, 5), terminalAt(5)]);
    await removeAll();
    return runId;
  }

  /** Returns the messages of an operation on a websocket until it ends. */
  async function overWebsocket(query: string, variables: unknown) {
    const client = await openWebsocket(graphql);
    client.subscribe('1', query, variables);
    const messages = [await client.next()];
    while (messages.at(-1)!.type === 'next') messages.push(await client.next());
    return messages;
  }

  /** Returns the messages of an operation over SSE until it ends. */
  async function overSse(query: string, variables: unknown) {
    const stream = await openEventStream(graphql, query, variables);
    const events = await stream.rest();
    return events.map(({ event, data }) => ({ type: event, payload: data ? JSON.parse(data) : undefined }));
  }

  const ways = [
    ['a websocket', overWebsocket],
    ['SSE', overSse],
  ] as const;

  describe.each(ways)('over %s', (_, subscribe) => {
    test.each([
      [-1, { fromSeq: 0, toSeq: 4, reason: expect.any(String) }],
      [2, { fromSeq: 3, toSeq: 4, reason: expect.any(String) }],
      [4, null],
    ])('batches after %i show the gap %j, then the terminal event, then the end', async (after, gap) => {
      const messages = await subscribe(BATCHES, { runId: await removedRun(), after });
      const batches = messages
        .slice(0, -1)
        .map(({ payload }) => (payload as { data: { runEventBatches: Batch } }).data.runEventBatches);
      const terminal = { events: [{ seq: 5 }], cursor: 5, caughtUp: true, ended: true, gap: null };
      const hole = { events: [], cursor: 4, caughtUp: false, ended: false, gap };
      expect(batches).toEqual(gap ? [hole, terminal] : [terminal]);
      expect(messages.at(-1)!.type).toBe('complete');
    });

    test('events end with events_removed and continue after the number in the error', async () => {
      const runId = await removedRun();
      const failed = JSON.stringify(await subscribe(EVENTS, { runId, after: 1 }));
      expect(failed).toContain('"code":"events_removed"');
      const through = Number(/"through":(\d+)/.exec(failed)?.[1]);
      expect(through).toBe(4);
      const rest = await subscribe(EVENTS, { runId, after: through });
      expect(rest.map(({ type }) => type)).toEqual(['next', 'complete']);
      expect(rest[0]!.payload).toMatchObject({ data: { runEvents: { seq: 5 } } });
    });

    test('a subscriber that has seen everything gets `complete` at once', async () => {
      const messages = await subscribe(EVENTS, { runId: await removedRun(), after: 5 });
      expect(messages.map(({ type }) => type)).toEqual(['complete']);
    });
  });

  test('a reader that stalled halfway gets the rest or the gap', async () => {
    const runId = await newRun(graphql);
    const text = 'x'.repeat(90_000);
    // More than the buffers between server and client hold.
    for (let seq = 0; seq < 400; seq += 50) {
      const big = eventsFrom(seq, 50).map((event) => ({ ...event, data: { text } }));
      expect(await ingest(graphql, runId, big)).toMatchObject({ accepted: 50 });
    }
    await ingest(graphql, runId, [terminalAt(400)]);
    const client = await openWebsocket(graphql);
    client.subscribe('1', BATCHES.replace('events { seq }', 'events { seq data }'), { runId });
    const batches: Batch[] = [];
    const next = async () => {
      const { type, payload } = await client.next();
      if (type === 'next')
        batches.push((payload as { data: { runEventBatches: Batch } }).data.runEventBatches);
      return type;
    };
    await next();
    client.socket.pause();
    await removeAll();
    client.socket.resume();
    while ((await next()) === 'next');
    let cursor = -1;
    for (const { events, gap } of batches) {
      if (gap) {
        expect(gap).toMatchObject({ fromSeq: cursor + 1, toSeq: 399 });
        cursor = gap.toSeq;
      }
      for (const { seq } of events) {
        expect(seq).toBe(cursor + 1);
        cursor = seq;
      }
    }
    expect(cursor).toBe(400);
    expect(batches.at(-1)).toMatchObject({ ended: true });
    expect(batches.filter(({ gap }) => gap)).toHaveLength(1);
  });

  test('a reader of a live run notices nothing', async () => {
    const runId = await newRun(graphql);
    await fill(graphql, runId, 0, 10);
    const stream = await openEventStream(graphql, EVENTS, { runId });
    await stream.next();
    await removedRun();
    await ingest(graphql, runId, [terminalAt(10)]);
    const rest = await stream.rest();
    expect(rest.map(({ event }) => event)).toEqual([...Array(10).fill('next'), 'complete']);
  });

  test('the run still returns its terminal event and counts, and accepts no more events', async () => {
    const runId = await removedRun();
    const { body } = await post(graphql, RUN, { runId });
    expect(body.errors).toBeUndefined();
    expect(body.data!.run).toEqual({
      ended: true,
      eventCount: 6,
      lastSeq: 5,
      terminal: { seq: 5, kind: 'runtime_terminal', data: { outcome: 'success' } },
      events: { edges: [{ node: { seq: 5 } }], pageInfo: { hasNextPage: false } },
      latest: { edges: [{ node: { seq: 5 } }], pageInfo: { hasPreviousPage: false } },
    });
    const late = await ingest(graphql, runId, eventsFrom(6, 1));
    expect(late).toMatchObject({ __typename: 'BatchRejected', code: 'run_terminated' });
    const again = await ingest(graphql, runId, [...eventsFrom(0, 5), terminalAt(5)]);
    expect(again).toMatchObject({ code: 'run_terminated', eventIndex: 0 });
  });
});
