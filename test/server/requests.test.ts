import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { anyJson, anyJsonObject, anyString } from '../contract/batches.ts';
import { codesOf } from '../support/error-codes.ts';
import { resultOf, TRANSPORTS } from '../support/operations.ts';
import type { Answer } from '../support/request.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import { ingest, newRun } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTransports } from '../support/transports.ts';
import { connectWebsocket, openWebsocket } from '../support/websocket-client.ts';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

async function postText(body: string): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(server.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, answer: (await response.json()) as Answer };
}

/** Expects a GraphQL answer: data, or errors that all have a listed code. */
function expectAnswer(answer: Answer): void {
  if (answer.errors !== undefined) codesOf(answer.errors);
  else expect(answer.data).toBeDefined();
}

describe('a body that is not a request', () => {
  const bodies = [
    '',
    'nope',
    '{',
    'null',
    '1',
    '"x"',
    '[]',
    '[{"query":"{ server { version } }"}]',
    '{}',
    '{"query":1}',
    '{"query":null}',
    '{"query":["{ server { version } }"]}',
    '{"query":"{ server { version } }","variables":[]}',
    '{"query":"{ server { version } }","variables":"x"}',
    '{"query":"{ server { version } }","variables":1}',
    '{"query":"{ server { version } }","extensions":1}',
    '{"query":"{ server { version } }","more":1}',
    `{"query":"{ server { version } }","variables":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ];
  for (const body of bodies) {
    test(`${JSON.stringify(body.slice(0, 60))} is a BAD_REQUEST`, async () => {
      const { answer } = await postText(body);
      expect(answer.data).toBeUndefined();
      expect(codesOf(answer.errors)).toEqual(['BAD_REQUEST']);
    });
  }

  test('text that is not JSON has the status 400', async () => {
    expect((await postText('nope')).status).toBe(400);
  });

  test('a batch of requests is refused and none of it runs', async () => {
    const query = 'mutation { createRun(input: { id: "batched", provider: openai }) { __typename } }';
    expect(codesOf((await postText(JSON.stringify([{ query }, { query }]))).answer.errors)).toEqual([
      'BAD_REQUEST',
    ]);
    const { body } = await post(server.graphql, '{ run(id: "batched") { id } }');
    expect(body).toEqual({ data: { run: null } });
  });
});

for (const [transport, ask] of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    const bad: readonly [string, string, unknown, string][] = [
      ['an empty document', '', undefined, 'GRAPHQL_PARSE_FAILED'],
      ['a syntax error', '{ server {', undefined, 'GRAPHQL_PARSE_FAILED'],
      ['an unknown field', '{ nope }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['an unknown argument', '{ run(id: 1, nope: 1) { id } }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['a missing variable', 'query ($id: ID!) { run(id: $id) { id } }', {}, 'BAD_USER_INPUT'],
      ['a null variable', 'query ($id: ID!) { run(id: $id) { id } }', { id: null }, 'BAD_USER_INPUT'],
      ['an object for an id', 'query ($id: ID!) { run(id: $id) { id } }', { id: {} }, 'BAD_USER_INPUT'],
      ['an invented cursor of runs', '{ runs(after: "x") { nodes { id } } }', undefined, 'BAD_USER_INPUT'],
      [
        'a malformed cursor of runs',
        '{ runs(before: "R1BDOk46eng=") { nodes { id } } }',
        undefined,
        'BAD_USER_INPUT',
      ],
      [
        'a cursor of runs that is too big',
        `{ runs(after: "${Buffer.from('GPC:N:9999999999').toString('base64')}") { nodes { id } } }`,
        undefined,
        'BAD_USER_INPUT',
      ],
      ['a negative count', '{ runs(first: -1) { nodes { id } } }', undefined, 'BAD_USER_INPUT'],
      ['a page over 100 runs', '{ runs(first: 101) { nodes { id } } }', undefined, 'BAD_USER_INPUT'],
      ['first and last at once', '{ runs(first: 1, last: 1) { nodes { id } } }', undefined, 'BAD_USER_INPUT'],
      [
        'an empty list of providers',
        '{ runs(filter: { providers: [] }) { nodes { id } } }',
        undefined,
        'BAD_USER_INPUT',
      ],
      [
        'an enum value in labels',
        'mutation { createRun(input: { provider: openai, labels: { a: RED } }) { __typename } }',
        undefined,
        'GRAPHQL_VALIDATION_FAILED',
      ],
      [
        '1e400 in labels',
        'mutation { createRun(input: { provider: openai, labels: { a: 1e400 } }) { __typename } }',
        undefined,
        'GRAPHQL_VALIDATION_FAILED',
      ],
      ['a previousSeq below -1', INGEST, { b: {}, previousSeq: -2 }, 'BAD_USER_INPUT'],
      [
        'an object with its own toString for a number',
        'query ($a: Int) { runs(first: $a) { nodes { id } } }',
        { a: { toString: 1 } },
        'BAD_USER_INPUT',
      ],
      [
        'an object with its own toString for a SafeInt',
        INGEST,
        { b: {}, previousSeq: { toString: 1 } },
        'BAD_USER_INPUT',
      ],
      [
        'a list 20,000 deep for a SafeInt',
        INGEST,
        `{"b":{},"previousSeq":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
        'BAD_USER_INPUT',
      ],
      [
        'labels 20,000 deep',
        'mutation ($l: JSONObject) { createRun(input: { provider: openai, labels: $l }) { __typename } }',
        `{"l":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
        'BAD_USER_INPUT',
      ],
    ];
    for (const [what, query, variables, code] of bad) {
      test(`${what} is ${code}`, async () => {
        const { errors, data } = await ask(server.graphql, query, variables);
        expect(data ?? null).toBeNull();
        expect(codesOf(errors)).toEqual([code]);
      });
    }

    test('an id that no run can have is an unknown run', async () => {
      for (const id of ["'; drop table Run; --", 'x'.repeat(129), '', ' ', 'ünï', '\u0000', '\ud800']) {
        const answer = await ask(server.graphql, 'query ($id: ID!) { run(id: $id) { id } }', { id });
        expect(answer).toEqual({ data: { run: null } });
      }
    });

    test('data is returned as it was sent', async () => {
      const texts = [
        '{"__proto__":{"a":1},"constructor":1,"":2,"toString":3,"b":{"__proto__":[]}}',
        '{"z":1,"a":2,"\\u0000":"\\u0000","lone":"\\ud800","pair":"\\ud83d\\ude00","\\udfff":1}',
        '{"big":1e+21,"small":5e-324,"max":1.7976931348623157e+308,"safe":9007199254740993,"minus":-0}',
        JSON.stringify({ text: 'x'.repeat(100_000) }),
      ];
      const runId = await newRun(server.graphql);
      const events = texts.map((text, seq) => ({
        seq,
        tMs: 0,
        kind: 'notification',
        data: JSON.parse(text),
      }));
      // Stringified here, so that the comparison uses what the request contained.
      const { data } = await ask(server.graphql, INGEST, { b: { v: 1, runId, events } });
      expect(data?.ingestEvents).toMatchObject({ accepted: texts.length });
      const read = await ask(server.graphql, `{ run(id: "${runId}") { events { nodes { data } } } }`);
      const { nodes } = resultOf<{ events: { nodes: { data: unknown }[] } }>(read, 'run').events;
      expect(nodes.map((node) => JSON.stringify(node.data))).toEqual(
        events.map((event) => JSON.stringify(event.data)),
      );
      const client = await openWebsocket(server.graphql);
      client.subscribe('1', `subscription { runEvents(runId: "${runId}") { data } }`);
      for (const event of events) {
        const { payload } = (await client.next()) as { payload: { data: { runEvents: { data: unknown } } } };
        expect(JSON.stringify(payload.data.runEvents.data)).toBe(JSON.stringify(event.data));
      }
    });

    test('an unexpected error is masked, and reported with the id that the client received', async () => {
      const { graphql, reported } = await startTransports((store) => ({
        ...store,
        createRun: async () => {
          throw new TypeError('secret of the database');
        },
      }));
      const answer = await ask(graphql, CREATE_RUN, { id: 'a' });
      expect(codesOf(answer.errors)).toEqual(['INTERNAL_SERVER_ERROR']);
      expect(JSON.stringify(answer)).not.toContain('secret');
      expect(String(reported.get(String(answer.errors?.[0]?.extensions.errorId)))).toContain('secret');
    });

    test('a store that is down is STORE_UNAVAILABLE and is not reported as unexpected', async () => {
      const { graphql, reported } = await startTransports((store) => ({
        ...store,
        findRun: async () => {
          throw new StoreUnavailable('secret of the database');
        },
      }));
      for (const [query, variables] of [
        ['{ run(id: "a") { id } }', {}],
        [INGEST, { b: { v: 1, runId: 'a', events: [{ seq: 0, tMs: 0, kind: 'notification', data: {} }] } }],
      ] as const) {
        const answer = await ask(graphql, query, variables);
        expect(codesOf(answer.errors)).toEqual(['STORE_UNAVAILABLE']);
        expect(JSON.stringify(answer)).not.toContain('secret');
      }
      expect(reported.size).toBe(0);
    });
  });
}

describe('arbitrary input', () => {
  const words = fc.constantFrom(
    ...[
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      ':',
      '!',
      '$',
      '...',
      '@',
      '"',
      '"""',
      '#',
      '\n',
      ' ',
      '=',
      '|',
      '1e400',
      'null',
    ],
    ...[
      'query',
      'mutation',
      'subscription',
      'fragment',
      'on',
      'run',
      'runs',
      'server',
      'id',
      'version',
      'nodes',
    ],
    ...[
      'ingestEvents',
      'batch',
      'runEvents',
      'runId',
      '"r"',
      '$b',
      'RunnerEventBatchInput',
      '@include',
      '@skip(if: true)',
    ],
    ...[
      '__typename',
      '__schema',
      '__type',
      'Error',
      'Run',
      'filter',
      'labels',
      'after',
      '-1',
      '\u0000',
      '\ufeff',
      '{ server { version } }',
    ],
  );
  const document = fc.oneof(
    fc.array(words, { maxLength: 30 }).map((parts) => parts.join(' ')),
    anyString,
    fc.constantFrom(
      INGEST,
      CREATE_RUN,
      'query ($id: ID!, $after: SafeInt, $filter: RunFilter) { run(id: $id) { id } runs(filter: $filter) { nodes { id } } }',
      'mutation ($i: CreateRunInput!) { createRun(input: $i) { __typename } }',
      'mutation ($i: EndRunInput!) { endRun(input: $i) { __typename } }',
      'query ($c: String, $n: Int, $k: [RunnerEventKind!]) { run(id: "there") { events(after: $c, first: $n, kinds: $k) { nodes { seq } } } runs(after: $c, first: $n) { edges { cursor } } }',
    ),
  );
  const variables = fc.oneof(
    fc.record(
      {
        b: fc.oneof(
          anyJson,
          fc.record({ v: fc.constantFrom(1, 2), runId: anyString, events: fc.array(anyJson) }),
        ),
        id: anyJson,
        filter: fc.oneof(
          anyJson,
          fc.record({ title: anyString, labels: anyJsonObject }, { requiredKeys: [] }),
        ),
        i: fc.oneof(
          anyJson,
          fc.record(
            {
              id: anyString,
              runId: anyString,
              provider: fc.constant('openai'),
              title: anyString,
              labels: anyJson,
              reason: anyString,
            },
            { requiredKeys: [] },
          ),
        ),
        c: anyString,
        n: anyJson,
        k: anyJson,
        previousSeq: anyJson,
      },
      { requiredKeys: [] },
    ),
    anyJson,
  );

  test('over HTTP, any JSON is answered with data or with errors that have a listed code', async () => {
    await newRun(server.graphql, 'there');
    await fc.assert(
      fc.asyncProperty(document, variables, anyJson, async (query, given, whole) => {
        const request = { query, variables: given };
        expectAnswer((await postText(JSON.stringify(request))).answer);
        expectAnswer((await postText(JSON.stringify(whole))).answer);
      }),
      { numRuns: 300 },
    );
  });

  test('over a websocket, any operation is answered and any other message closes with 4400', async () => {
    await newRun(server.graphql, 'there');
    await fc.assert(
      fc.asyncProperty(document, variables, anyJson, async (query, given, whole) => {
        const client = await openWebsocket(server.graphql);
        client.subscribe('1', query, given);
        const first = await client.next().catch(() => null);
        if (first?.type === 'error') codesOf(first.payload);
        else if (first) expectAnswer(first.payload as Answer);
        else expect((await client.closed()).code).toBe(4400);
        client.socket.terminate();
        const odd = await connectWebsocket(server.graphql);
        odd.send(JSON.stringify(whole));
        expect((await odd.closed()).code).toBe(4400);
      }),
      { numRuns: 150 },
    );
  });

  test('the server still answers afterwards', async () => {
    const runId = await newRun(server.graphql);
    const event = { seq: 0, tMs: 0, kind: 'notification', data: {} };
    expect(await ingest(server.graphql, runId, [event])).toMatchObject({ accepted: 1 });
  });
});

describe('a stream of events for a client that asks for the connection to close', () => {
  test.each(['shared by all subscribers', 'executed'])('says so in its answer: %s', async (kind) => {
    const runId = await newRun(server.graphql);
    await ingest(server.graphql, runId, [
      { seq: 0, tMs: 0, kind: 'runtime_terminal', data: { outcome: 'completed' } },
    ]);
    const directive = kind === 'executed' ? ' @skip(if: false)' : '';
    const query = `subscription { runEvents(runId: "${runId}")${directive} { seq } }`;
    const asked = request(server.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', connection: 'close' },
    });
    asked.end(JSON.stringify({ query }));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    expect(response.headers.connection).toBe('close');
  });
});
