import { beforeAll, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { codesOf } from '../support/error-codes.ts';
import { openEventStream } from '../support/event-stream.ts';
import { type Answer, post } from '../support/request.ts';
import { fill, ingest, newRun } from '../support/runs.ts';
import { startTransports, type Transports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

/** Counts the pages that are read, and how many at once. */
const pages = { read: 0, now: 0, atOnce: 0 };

function counting(store: Store): Store {
  return {
    ...store,
    readPage: async (...request) => {
      pages.read += 1;
      pages.now += 1;
      pages.atOnce = Math.max(pages.atOnce, pages.now);
      // Simulates a network: reads requested at once would run at once.
      await new Promise(setImmediate);
      try {
        return await store.readPage(...request);
      } finally {
        pages.now -= 1;
      }
    },
  };
}

let transports: Transports;
let graphql: string;

beforeAll(async () => {
  transports = await startTransports(counting);
  graphql = transports.graphql;
  await newRun(graphql, 'small');
  await fill(graphql, 'small', 0, 1_000);
});

const WAYS: readonly (readonly [string, (query: string, variables?: unknown) => Promise<Answer>])[] = [
  ['POST', async (query, variables) => (await post(graphql, query, variables)).body],
  [
    'GET',
    async (query, variables) => {
      const search = new URLSearchParams({ query, variables: JSON.stringify(variables ?? {}) });
      return (await (await fetch(`${graphql}?${search}`)).json()) as Answer;
    },
  ],
  ['websocket', overWebsocket],
];

async function overWebsocket(query: string, variables?: unknown): Promise<Answer> {
  const client = await openWebsocket(graphql);
  client.subscribe('1', query, variables);
  const { type, payload } = await client.next();
  client.socket.terminate();
  return type === 'error' ? { errors: payload as NonNullable<Answer['errors']> } : (payload as Answer);
}

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join(' ');

function fragmentBomb(levels: number): string {
  const path = (index: number) => `job{run{${index < levels - 1 ? `...F${index + 1}` : 'id'}}}`;
  return `{run(id:"absent"){...F0}}${times(levels, (i) => `fragment F${i} on Run{a:${path(i)}b:${path(i)}}`)}`;
}

const TOO_LARGE: readonly (readonly [string, string])[] = [
  ['fragments that double with each level', fragmentBomb(18)],
  ['fragments that double beyond all numbers', fragmentBomb(70)],
  [
    'hundreds of pages',
    `{runs(first:12){nodes{${times(150, (i) => `e${i}:events(first:1000){nodes{seq}}`)}}}}`,
  ],
  [
    'cheap fields of many events under many names',
    `{run(id:"small"){${times(20, (i) => `e${i}:events(first:1000){nodes{...F}}`)}}}fragment F on RunnerEvent{${times(100, (i) => `c${i}:committedAt`)}}`,
  ],
  [
    'fields of many events under long names',
    `{run(id:"small"){${times(60, (i) => `e${i}:events(first:1000){nodes{...F}}`)}}}fragment F on RunnerEvent{${times(5, (i) => `${'k'.repeat(2_000)}${i}:seq`)}}`,
  ],
  ['one long name', `{${'k'.repeat(129)}:__typename}`],
  ['terminal events under many names', `{run(id:"small"){${times(249, (i) => `t${i}:terminal{seq}`)}}}`],
  ['filtered lists under many names', `{${times(100, (i) => `r${i}:runs(filter:{ended:true}){nodes{id}}`)}}`],
  ['logs under many names', `{job(runId:"small"){${times(5, (i) => `l${i}:logs`)}}}`],
  ['logs of many jobs', '{jobs(first:100){nodes{logs}}}'],
  ['nested lists', '{runs(first:100){nodes{events(first:1000){nodes{seq}}}}}'],
  [
    'schemas under many names',
    `{${times(40, (i) => `s${i}:__schema{types{fields{name type{fields{name}}}}}`)}}`,
  ],
];

describe.each(WAYS)('over %s', (way, ask) => {
  test.each(TOO_LARGE)(
    'a large operation is refused with its price before anything is read: %s',
    async (_what, query) => {
      const before = pages.read;
      const { errors } = await ask(query);
      expect(codesOf(errors)).toEqual(['DOCUMENT_TOO_LARGE']);
      const { price, allowed } = errors![0]!.extensions;
      expect(price).toBeGreaterThan(Number(allowed));
      expect(pages.read).toBe(before);
    },
  );

  test('variables decide whether an operation is too large', async () => {
    const query =
      'query($n:Int,$all:Boolean!){run(id:"small"){a:events(first:$n){nodes{seq}} ...F @include(if:$all)}}' +
      `fragment F on Run{${times(20, (i) => `e${i}:events(first:1000){nodes{seq}}`)}}`;
    expect((await ask(query, { n: 3, all: false })).errors).toBeUndefined();
    expect(codesOf((await ask(query, { n: 3, all: true })).errors)).toEqual(['DOCUMENT_TOO_LARGE']);
    expect((await ask(query, { n: 3, all: false })).errors).toBeUndefined();
  });

  test('the pages of an answer are read one after another', async () => {
    pages.atOnce = 0;
    const query = `{run(id:"small"){${times(8, (i) => `e${i}:events(first:5){nodes{seq}}`)}}}`;
    expect((await ask(query)).errors).toBeUndefined();
    expect(pages.atOnce).toBe(1);
  });

  test('a list of enum values that is longer than the enum is BAD_USER_INPUT, once', async () => {
    const run = 'run(id:"small"){events(kinds:$k){nodes{seq}}}';
    for (const kind of way === 'GET' ? [] : ['x', 'notification']) {
      const kinds = Array(20_000).fill(kind);
      const { errors } = await ask(`query($k:[RunnerEventKind!]){${run}}`, { k: kinds });
      expect(codesOf(errors)).toEqual(['BAD_USER_INPUT']);
      expect(errors![0]!.message).toBe('$k has 20000 items, but at most 9 are allowed');
    }
    const literal = run.replace('$k', `[${'notification '.repeat(60)}]`);
    expect(codesOf((await ask(`{${literal}}`)).errors)).toEqual(['BAD_USER_INPUT']);
    const filter = { providers: Array(60).fill('openai') };
    const { errors } = await ask('query($f:RunFilter){runs(filter:$f){nodes{id}}}', { f: filter });
    expect(errors![0]!.message).toBe('$f.providers has 60 items, but at most 5 are allowed');
  });

  test.skipIf(way === 'GET')(
    'wrong fields of an object in a variable are one short BAD_USER_INPUT',
    async () => {
      const query = 'query($f:RunFilter){runs(filter:$f){nodes{id}}}';
      const filter = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 'x']));
      const { errors } = await ask(query, { f: filter });
      expect(codesOf(errors)).toEqual(['BAD_USER_INPUT']);
      expect(errors![0]!.message).toMatch(/^\$f contains "k0", but RunFilter has only createdBefore, /);
      const mutation = 'mutation($i:CreateRunInput!){createRun(input:$i){__typename}}';
      const { errors: missing } = await ask(mutation, { i: { labels: { long: 'x'.repeat(100_000) } } });
      expect(missing).toMatchObject([{ message: '$i.provider is required' }]);
      const { errors: list } = await ask(mutation, {
        i: { provider: 'openai', labels: ['x'.repeat(100_000)] },
      });
      expect(list).toMatchObject([{ message: '$i.labels must be an object' }]);
    },
  );
});

describe('a subscription', () => {
  const overSse = async (query: string, variables?: unknown): Promise<string> => {
    const stream = await openEventStream(graphql, query, variables);
    return JSON.stringify(await stream.rest()) + stream.text();
  };

  test.each([
    ['a large document', `subscription{runEvents(runId:"small"){seq}} # ${'x'.repeat(16 * 1024)}`],
    ['many names', `subscription{runEvents(runId:"small"){${times(101, (i) => `a${i}:seq`)}}}`],
    [
      'many names in fragments',
      `subscription{runEvents(runId:"small"){...F x:__typename ...F}}fragment F on RunnerEvent{${times(60, (i) => `a${i}:seq`)}}`,
    ],
    [
      'a log with each change of a run',
      'subscription{runUpdated{events(first:1000){nodes{seq tMs kind data committedAt sourceSeq}} e:events(first:1000){nodes{seq tMs kind data committedAt sourceSeq}}}}',
    ],
    ['many tokens', `subscription{runEvents(runId:"small"){seq ${'#\n'.repeat(1_000)}}}`],
  ])('with %s is refused on every transport', async (_what, query) => {
    expect(codesOf((await overWebsocket(query)).errors)).toEqual(['DOCUMENT_TOO_LARGE']);
    expect(await overSse(query)).toContain('DOCUMENT_TOO_LARGE');
  });

  test('reports one invalid variable, however many there are', async () => {
    const query = 'subscription($k:[RunnerEventKind!]){runEvents(runId:"small",kinds:$k){seq}}';
    for (const count of [9, 500]) {
      expect(codesOf((await overWebsocket(query, { k: Array(count).fill('x') })).errors)).toEqual([
        'BAD_USER_INPUT',
      ]);
    }
    expect(await overSse(query, { k: Array(500).fill('x') })).toContain('at most 9 are allowed');
    // Above that, the memory of the request is refused before its variables are checked.
    const many = { k: Array(5_000).fill('x') };
    expect(codesOf((await overWebsocket(query, many)).errors)).toEqual(['DOCUMENT_TOO_LARGE']);
    expect(await overSse(query, many)).toContain('DOCUMENT_TOO_LARGE');
  });
});

test('an answer that reads too much stops, and its terminal events count', async () => {
  await newRun(graphql, 'big');
  const data = { text: 'x'.repeat(12 * 1024 * 1024) };
  await ingest(graphql, 'big', [{ seq: 0, tMs: 0, kind: 'runtime_terminal', data }]);
  const before = pages.read;
  const { body } = await post(graphql, `{run(id:"big"){${times(30, (i) => `t${i}:terminal{seq}`)}}}`);
  expect(new Set(codesOf(body.errors))).toEqual(new Set(['RESPONSE_TOO_LARGE']));
  // One read returns the size, one returns the data, and one shows that another would be too much.
  expect(pages.read - before).toBe(3);
});

test('titles and labels count with their length as JSON', async () => {
  const create = 'mutation($i:CreateRunInput!){createRun(input:$i){__typename}}';
  const labels = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [`${i}${'n'.repeat(180)}`, 'v'.repeat(200)]),
  );
  for (let index = 0; index < 10; index += 1) {
    await post(graphql, create, { i: { id: `l${index}`, provider: 'mistral', labels } });
  }
  const ask = (count: number) =>
    post(
      graphql,
      `{runs(first:10,filter:{providers:[mistral]}){nodes{${times(count, (i) => `l${i}:labels`)}}}}`,
    );
  expect((await ask(2)).body.errors).toBeUndefined();
  expect(codesOf((await ask(200)).body.errors)).toContain('RESPONSE_TOO_LARGE');
});

test('one batch variable in several ingestEvents is refused, since its weight was checked once', async () => {
  const query = `mutation ($b: RunnerEventBatchInput!) {
    a: ingestEvents(batch: $b) { __typename } b: ingestEvents(batch: $b) { __typename } }`;
  const events = [{ seq: 5_000, tMs: 0, kind: 'notification', data: {} }];
  const { body } = await post(graphql, query, { b: { v: 1, runId: 'small', events } });
  expect(codesOf(body.errors)).toEqual(['DOCUMENT_TOO_LARGE']);
});
