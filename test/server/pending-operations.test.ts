import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import type { Store } from '../../src/store/store.ts';
import { codesOf } from '../support/error-codes.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MiB = 1024 * 1024;
const times = (count: number, of: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => of(i)).join(' ');

/** A store whose lists wait until `go`. */
function heldLists() {
  let go = () => {};
  const released = new Promise<void>((resolve) => {
    go = resolve;
  });
  releaseAfterwards(() => go());
  const wrap = (store: Store): Store => ({
    ...store,
    lists: {
      ...store.lists,
      runs: async (...args) => {
        await released;
        return store.lists.runs(...args);
      },
    },
  });
  return { go: () => go(), wrap };
}

/** 1,000 tokens, which take 160 KB, in an operation that is not requested. */
const longDocument = (number: number) =>
  `query A{runs(first:1){nodes{id}}} query B{runs(filter:{labels:{a${number}:[${times(1_000, () => '1')}]}}){__typename}}`;
/** 3,000 empty objects, which take 190 KB. */
const OBJECTS = { a: Array.from({ length: 3_000 }, () => ({})) };

async function startHeld() {
  const held = heldLists();
  // A sixteenth of it, 256 KiB, is for one connection.
  const totals = { ...totalsOf(), pendingBytes: 4 * MiB };
  return { ...held, ...(await startTransports(held.wrap, undefined, totals)) };
}

test('documents of waiting operations are bounded in total, and small operations are still accepted', async () => {
  const { graphql, go, load } = await startHeld();
  const sockets = await Promise.all(Array.from({ length: 60 }, () => openWebsocket(graphql)));
  for (const [number, socket] of sockets.entries()) {
    socket.send({ id: '1', type: 'subscribe', payload: { query: longDocument(number), operationName: 'A' } });
  }
  const small = post(graphql, '{ runs(first: 1) { nodes { id } } }');
  const answers = sockets.map((socket) => socket.next());
  const errorsOf = async (answer: (typeof answers)[number]) => {
    const { payload } = await answer;
    return (payload as { readonly errors?: unknown }).errors;
  };
  // The lists answer nobody yet.
  expect(codesOf(await errorsOf(Promise.race(answers)))).toEqual(['OVERLOADED']);
  expect(load.pending.heldBytes()).toBeGreaterThan(3 * MiB);
  expect(load.pending.heldBytes()).toBeLessThanOrEqual(4 * MiB);
  go();
  expect((await small).body.errors).toBeUndefined();
  for (const answer of answers) {
    const errors = await errorsOf(answer);
    if (errors) expect(codesOf(errors)).toEqual(['OVERLOADED']);
  }
  await expect.poll(() => load.pending.heldBytes()).toBe(0);
});

test.each([
  [
    'that it declares',
    '',
    'query($l:JSONObject){runs(first:1){nodes{id}} b:runs(first:1,filter:{labels:$l}) @skip(if:true){nodes{id}}}',
  ],
  // Yoga answers requests with a query string, and keeps all of their variables.
  ['that it does not declare', '?yoga', '{runs(first:1){nodes{id}}}'],
])('variables of a waiting operation count, also those %s', async (_, search, query) => {
  const variables = { l: OBJECTS };
  const { graphql, go, load } = await startHeld();
  const waiting = fetch(`${graphql}${search}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  await expect.poll(() => load.pending.heldBytes()).toBeGreaterThan(150_000);
  go();
  const answered = await waiting;
  expect(await answered.text()).toContain('"nodes":[]');
  await expect.poll(() => load.pending.heldBytes()).toBe(0);
});

test('a list that still waits keeps nothing of an operation that has failed', async () => {
  const { graphql } = await startHeld();
  const query =
    'query($l:JSONObject){a:runs(first:1){nodes{id}} b:runs(filter:{labels:$l},first:1){nodes{id}}}';
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let number = 0; number < 60; number += 1) {
    const { body } = await post(graphql, query, { l: { ...OBJECTS, number } });
    expect(codesOf(body.errors)).toEqual(['BAD_USER_INPUT']);
  }
  await expect
    .poll(() => {
      collectGarbage();
      return (process.memoryUsage().heapUsed - before) / MiB;
    })
    .toBeLessThan(6);
});
