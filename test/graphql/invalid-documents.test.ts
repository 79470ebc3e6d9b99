import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { recoded } from '../../src/graphql/errors/faults.ts';
import { createDocuments } from '../../src/graphql/operations/documents.ts';
import { OPERATION_COST } from '../../src/graphql/price/limits.ts';
import { publicSchema } from '../../src/graphql/schema.ts';
import { codesOf } from '../support/error-codes.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function start() {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  return server;
}

test('invalid documents leave nothing in memory', () => {
  const documents = createDocuments(publicSchema);
  const ask = (number: number) => {
    const query = `{ ${'abcdefghij'[number % 10]}${number} }`;
    documents.knows(query);
    expect(documents.validate(documents.parse(query))).toHaveLength(1);
  };
  for (let number = 0; number < 200; number += 1) ask(number);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let number = 0; number < 3_000; number += 1) ask(number);
  collect();
  // Errors in a cache took 60 KB each, 180 MB in all.
  expect((process.memoryUsage().heapUsed - before) / 1024 / 1024).toBeLessThan(20);
});

test('an invalid document is refused each time, and a valid one is known afterwards', () => {
  const documents = createDocuments(publicSchema);
  const ask = (query: string) => {
    const isKnown = documents.knows(query);
    return [isKnown, documents.validate(documents.parse(query)).length];
  };
  expect([ask('{ a b }'), ask('{ a b }'), ask('{ a b }')]).toEqual([
    [false, 2],
    [false, 2],
    [false, 2],
  ]);
  const valid = '{ server { version } }';
  expect([ask(valid), ask(valid), ask(valid)]).toEqual([
    [false, 0],
    [true, 0],
    [true, 0],
  ]);
});

test('errors in a short document name its lines, and errors in a long one its characters', () => {
  const places = (query: string) => {
    const documents = createDocuments(publicSchema);
    return documents.validate(documents.parse(query)).map(({ locations }) => locations);
  };
  expect(places('{\n  server { version }\n  nothing\n}')).toEqual([[{ line: 3, column: 3 }]]);
  expect(places(`{${'\n'.repeat(600)}nothing}`)).toEqual([[{ line: 1, column: 602 }]]);
  expect(places(`{${'\r\n'.repeat(600)}nothing}`)).toEqual([[{ line: 1, column: 1_202 }]]);
  expect(places(`{${' '.repeat(20_000)}nothing}`)).toEqual([[{ line: 1, column: 20_002 }]]);
});

test('hundreds of errors do not search a long document for their lines', async () => {
  const { graphql } = await start();
  const aliases = Array.from({ length: 245 }, (_, at) => `a${at}: __type(name: $v) { name }`).join(' ');
  const query = `${'\n'.repeat(10_000)}query ($v: String = "a") { ${aliases} }`;
  const { exec } = RegExp.prototype;
  let searches = 0;
  RegExp.prototype.exec = function (text) {
    // The expression with which GraphQL searches for the end of the next line.
    if (this.source === '\\r\\n|[\\n\\r]') searches += 1;
    return exec.call(this, text);
  };
  try {
    const { body } = await post(graphql, query, { v: null });
    expect(body.errors).toHaveLength(245);
  } finally {
    RegExp.prototype.exec = exec;
  }
  expect(searches).toBeGreaterThan(0);
  expect(searches).toBeLessThan(10_000);
});

test('a copied error keeps its places without a new search', () => {
  const places = Array.from({ length: 50 }, (_, at) => ({ line: 1, column: at + 1 }));
  const error = Object.assign(new GraphQLError('m'), { locations: places });
  expect(recoded(error, 'x'.repeat(5_000), {})).toMatchObject({
    message: 'x'.repeat(1_000),
    locations: places.slice(0, 10),
  });
});

test('no error of an invalid document is long', async () => {
  const { graphql } = await start();
  const digits = '9'.repeat(100_000);
  const same = Array.from({ length: 3_000 }, () => 'id: "a"').join(' ');
  for (const query of [`{ runs(first: ${digits}) { nodes { id } } }`, `{ run(${same}) { id } }`]) {
    const { body } = await post(graphql, query);
    expect(codesOf(body.errors)[0]).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(JSON.stringify(body).length).toBeLessThan(5_000);
  }
});

test('a literal counts for every field that reads it', async () => {
  const { graphql } = await start();
  const kinds = 'notification '.repeat(5_000);
  const ask = (fields: number) => {
    const aliases = Array.from({ length: fields }, (_, at) => `a${at}: run(id: "r") { ...F }`).join(' ');
    const events = `events(first: 1, kinds: [${kinds} $k]) { nodes { seq } }`;
    const query = `query ($k: RunnerEventKind = notification) { ${aliases} } fragment F on Run { ${events} }`;
    return post(graphql, query, { k: null });
  };
  const [few, many] = [await ask(1), await ask(20)];
  expect(few.body).toEqual({ data: { a0: null } });
  expect(many.body.errors?.[0]?.extensions).toMatchObject({
    code: 'DOCUMENT_TOO_LARGE',
    what: 'cost',
    allowed: OPERATION_COST,
  });
});

test('a condition on the root field of a subscription is refused, also in fragments', () => {
  const documents = createDocuments(publicSchema);
  const problems = (query: string) =>
    documents.validate(documents.parse(query)).map(({ message }) => message);
  const refused = (name: string) => [
    `@${name} is not allowed on the root field of a subscription: remove it`,
  ];
  expect(problems('subscription { runUpdated @skip(if: true) { id } }')).toEqual(refused('skip'));
  expect(problems('subscription { ... @include(if: false) { runUpdated { id } } }')).toEqual(
    refused('include'),
  );
  const inFragment = 'fragment F on Subscription { runUpdated @skip(if: true) { id } }';
  expect(problems(`subscription { ...F } ${inFragment}`)).toEqual(refused('skip'));
  expect(problems('subscription { runUpdated { id @skip(if: true) title } }')).toEqual([]);
  expect(problems('{ server @skip(if: true) { version } }')).toEqual([]);
});
