import { performance } from 'node:perf_hooks';
import { beforeAll, expect, test } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import type { PageReadLimits, Store } from '../../src/store/store.ts';
import { codesOf } from '../support/error-codes.ts';
import { connectRaw, postHead } from '../support/raw-http.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventually, fill, ingest, newRun } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const MiB = 1024 * 1024;

/** The limits of all reads, and how many large ones ran in one event-loop turn. */
const reads = { limits: [] as PageReadLimits[], large: 0, turn: -1, inTurn: 0, mostInTurn: 0 };

function counting(store: Store): Store {
  return {
    ...store,
    readPage: async (run, after, limits, direction) => {
      reads.limits.push(limits);
      const page = await store.readPage(run, after, limits, direction);
      const bytes = page?.events.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0) ?? 0;
      expect(bytes).toBeLessThanOrEqual(limits.maxBytes);
      if (bytes > MiB) {
        reads.large += 1;
        const { loopCount } = performance.nodeTiming.uvMetricsInfo;
        reads.inTurn = loopCount === reads.turn ? reads.inTurn + 1 : 1;
        reads.turn = loopCount;
        reads.mostInTurn = Math.max(reads.mostInTurn, reads.inTurn);
      }
      return page;
    },
  };
}

let graphql: string;

beforeAll(async () => {
  graphql = (await startTransports(counting)).graphql;
  const data = { outcome: 'completed', text: `\u0100${'x'.repeat(4 * MiB)}` };
  await newRun(graphql, 'large');
  await ingest(graphql, 'large', [{ seq: 0, tMs: 0, kind: 'runtime_terminal', data }]);
  await newRun(graphql, 'middle');
  for (let seq = 0; seq < 6; seq += 1) {
    const event = { seq, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(900_000) } };
    await ingest(graphql, 'middle', [event]);
  }
  await newRun(graphql, 'small');
  await fill(graphql, 'small', 0, 50);
}, 120_000);

test.each([
  ['the terminal event', '{run(id:"large"){terminal{data}}}'],
  ['a page forward', '{run(id:"large"){events(first:1){nodes{data}}}}'],
  ['a page backward', '{run(id:"large"){events(last:1){nodes{data}}}}'],
])(
  '%s of many bytes, requested 20 times at once, is read once per turn and answered each time',
  async (_, query) => {
    const before = reads.large;
    reads.mostInTurn = 0;
    const client = await openWebsocket(graphql);
    for (let id = 0; id < 20; id += 1) client.subscribe(String(id), query);
    let answered = 0;
    while (answered < 20) {
      const message = await client.next(100_000);
      if (message.type === 'complete') continue;
      expect(message.type).toBe('next');
      expect(JSON.stringify(message.payload).length).toBeGreaterThan(4 * MiB);
      answered += 1;
    }
    expect(reads.large - before).toBe(20);
    expect(reads.mostInTurn).toBe(1);
    client.socket.terminate();
  },
  120_000,
);

test('a small page is one small read, and is answered between large ones', async () => {
  const client = await openWebsocket(graphql);
  for (let id = 0; id < 20; id += 1) client.subscribe(String(id), '{run(id:"large"){terminal{data}}}');
  await client.next(60_000);
  const before = reads.large;
  const { body } = await post(graphql, '{run(id:"small"){events(first:5){nodes{seq data}}}}');
  expect(body.errors).toBeUndefined();
  // The large pages have not all been read in the meantime.
  expect(reads.large - before).toBeLessThan(15);
  client.socket.terminate();
  reads.limits = [];
  await post(graphql, '{run(id:"small"){events(first:5){nodes{seq}}}}');
  await post(graphql, '{run(id:"small"){events(first:100){nodes{seq}}}}');
  const small = reads.limits.filter(({ maxBytes }) => maxBytes < MiB);
  expect(small.filter(({ maxEvents }) => maxEvents === 6)).toHaveLength(1);
  expect(small.filter(({ maxEvents }) => maxEvents === 101)).toHaveLength(1);
}, 120_000);

test('a small page is answered while more clients than may wait ask for large ones', async () => {
  const asking = 1_100;
  let begun = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  // The third event of a page cannot be read before the end, so every page stays unfinished.
  const holding = (store: Store): Store => ({
    ...store,
    readPage: async (run, after, limits, direction) => {
      if (after === -1 && limits.maxBytes < MiB / 2) begun += 1;
      else if (after >= 1) await released;
      return store.readPage(run, after, limits, direction);
    },
  });
  const totals = { ...totalsOf(), answerBytes: 64 * MiB };
  const { graphql } = await startTransports(holding, undefined, totals);
  releaseAfterwards(() => release());
  await newRun(graphql, 'large');
  for (let seq = 0; seq < 4; seq += 1) {
    await ingest(graphql, 'large', [
      { seq, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(900_000) } },
    ]);
  }
  await newRun(graphql, 'small');
  await fill(graphql, 'small', 0, 5);
  const query = JSON.stringify({ query: '{run(id:"large"){events(first:4){nodes{data}}}}' });
  for (let index = 0; index < asking; index += 1) {
    const { socket } = connectRaw(graphql);
    socket.write(postHead(graphql, query.length) + query);
    // A request that is refused does not begin to read.
    socket.once('data', () => {
      begun += 1;
    });
  }
  await eventually(() => begun >= asking, 60_000);
  for (let index = 0; index < 10; index += 1) {
    const { body } = await post(graphql, '{run(id:"small"){events(first:5){nodes{seq data}}}}');
    expect(body.errors).toBeUndefined();
  }
}, 120_000);

test('a page ends with the event that reaches 4 MiB', async () => {
  const page = async (args: string) => {
    const query = `{run(id:"middle"){events(${args}){nodes{seq} pageInfo{hasNextPage endCursor}}}}`;
    const { body } = await post(graphql, query);
    const { run } = body.data as unknown as {
      run: { events: { nodes: { seq: number }[]; pageInfo: unknown } };
    };
    return [run.events.nodes.map(({ seq }) => seq), run.events.pageInfo];
  };
  expect(await page('first: 10')).toEqual([[0, 1, 2, 3, 4], { hasNextPage: true, endCursor: '4' }]);
  expect(await page('first: 10, after: "4"')).toEqual([[5], { hasNextPage: false, endCursor: '5' }]);
  expect(await page('last: 2')).toEqual([[4, 5], { hasNextPage: false, endCursor: '5' }]);
  expect(await page('first: 10, after: "0", before: "3"')).toEqual([
    [1, 2],
    { hasNextPage: false, endCursor: '2' },
  ]);
  expect(await page('first: 1, kinds: [assistant_text]')).toEqual([
    [],
    { hasNextPage: false, endCursor: null },
  ]);
});

test('an event that exceeds 64 MiB with a selection fails only that subscription', async () => {
  const { graphql } = await startTransports();
  const runId = await newRun(graphql);
  const times = (count: number) => Array.from({ length: count }, (_, n) => `d${n}: data`).join(' ');
  const client = await openWebsocket(graphql);
  client.subscribe('many', `subscription { runEvents(runId: "${runId}") { seq ${times(16)} } }`);
  client.subscribe(
    'many in batches',
    `subscription { runEventBatches(runId: "${runId}") { cursor events { ${times(16)} } } }`,
  );
  client.subscribe('one', `subscription { runEvents(runId: "${runId}") { seq } }`);
  await ingest(graphql, runId, [
    { seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(5 * 1024 * 1024) } },
  ]);
  const told = new Map<string | undefined, unknown>();
  while (told.size < 3) {
    const { id, type, payload } = await client.next();
    // The batch that marks the end of the history has no event.
    if (id === 'many in batches' && type === 'next') continue;
    told.set(id, type === 'error' ? codesOf(payload) : payload);
  }
  expect(Object.fromEntries(told)).toEqual({
    many: ['RESPONSE_TOO_LARGE'],
    'many in batches': ['RESPONSE_TOO_LARGE'],
    one: { data: { runEvents: { seq: 0 } } },
  });
});
