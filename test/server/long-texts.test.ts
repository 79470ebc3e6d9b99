import { beforeAll, expect, test } from 'vitest';
import { codesOf } from '../support/error-codes.ts';
import { post } from '../support/request.ts';
import { type ServeProcess, startServe } from '../support/runfeed-process.ts';

const LONG = 10 * 1024 * 1024;
const RUNS = 'query ($f: RunFilter) { runs(filter: $f) { nodes { id } } }';
const CREATE = 'mutation ($i: CreateRunInput!) { createRun(input: $i) { __typename } }';

let server: ServeProcess;
beforeAll(async () => {
  server = await startServe({ NODE_OPTIONS: '--max-old-space-size=256' });
});

/**
 * Each of these once caused an error that contained the whole text, or suggestions that took many times its
 * length.
 */
test.each([
  ['an enum value', RUNS, { f: { providers: ['x'.repeat(LONG)] } }],
  ['the name of a field', RUNS, { f: { ['x'.repeat(LONG)]: 1 } }],
  ['a title of many words', RUNS, { f: { title: 'x '.repeat(LONG / 2) } }],
  ['a date', RUNS, { f: { createdFrom: '\ud800'.repeat(LONG / 4) } }],
  ['an object instead of a text', RUNS, { f: { title: { text: 'x'.repeat(LONG) } } }],
  ['a list instead of a date', RUNS, { f: { createdFrom: ['x'.repeat(LONG)] } }],
  ['a single enum', CREATE, { i: { id: 'r', provider: 'x'.repeat(LONG) } }],
  [
    'a label’s name',
    CREATE,
    { i: { id: 'r', provider: 'openai', labels: { ['\ud800'.repeat(LONG / 4)]: 1 } } },
  ],
  ['a label’s value', CREATE, { i: { id: 'r', provider: 'openai', labels: { a: 'x'.repeat(LONG) } } }],
])('%s of megabytes is refused in a small heap, with a short message', async (_, query, variables) => {
  const { body } = await post(server.graphql, query, variables);
  expect(codesOf(body.errors)).toEqual(['BAD_USER_INPUT']);
  expect(JSON.stringify(body).length).toBeLessThan(2_000);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
});
