import { buildSchema, isInputObjectType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schemaText } from '../../src/graphql/schema.ts';
import type { RunningServer } from '../../src/server/server.ts';
import { post } from '../support/request.ts';
import { ingest, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

// Programs outside this repository send exactly these documents. Changing one is a breaking change.
const CREATE =
  'mutation { createRun(input: { id: "r1", provider: anthropic }) { __typename ... on CreateRunSuccess { run { id } } } }';
const INGEST = `mutation($b: RunnerEventBatchInput!) { ingestEvents(batch: $b) { __typename
  ... on IngestEventsSuccess { accepted duplicates lastSeq }  ... on BatchRejected { code message eventIndex } } }`;
const EVENTS = 'subscription { runEvents(runId: "r1", after: 41) { seq tMs kind data } }';
const BATCHES =
  'subscription { runEventBatches(runId: "r1") { events { seq kind data } cursor caughtUp ended } }';
const RUN = 'query { run(id: "r1") { ended lastSeq eventCount } }';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

test('the documents of outside programs get the promised answers', async () => {
  const { graphql } = server;
  expect((await post(graphql, CREATE)).body).toEqual({
    data: { createRun: { __typename: 'CreateRunSuccess', run: { id: 'r1' } } },
  });
  const event = { seq: 42, tMs: 1, kind: 'assistant_text', data: { text: 'x' } };
  const batch = { v: 1, runId: 'r1', events: [event] };
  expect((await post(graphql, INGEST, { b: batch })).body).toEqual({
    data: { ingestEvents: { __typename: 'IngestEventsSuccess', accepted: 1, duplicates: 0, lastSeq: 42 } },
  });
  expect((await post(graphql, INGEST, { b: { ...batch, v: 2 } })).body).toEqual({
    data: {
      ingestEvents: {
        __typename: 'BatchRejected',
        code: 'version_mismatch',
        message: expect.any(String),
        eventIndex: null,
      },
    },
  });
  expect((await post(graphql, RUN)).body).toEqual({
    data: { run: { ended: false, lastSeq: 42, eventCount: 1 } },
  });
  const client = await openWebsocket(graphql);
  client.subscribe('1', EVENTS);
  expect(await client.next()).toEqual({ id: '1', type: 'next', payload: { data: { runEvents: event } } });
  client.subscribe('2', BATCHES);
  const { tMs: _tMs, ...shown } = event;
  const answer = { events: [shown], cursor: 42, caughtUp: true, ended: false };
  expect(await client.next()).toEqual({
    id: '2',
    type: 'next',
    payload: { data: { runEventBatches: answer } },
  });
  await ingest(graphql, 'r1', [terminalAt(43)]);
  const types = (await client.drain(300)).map(({ id, type }) => `${id} ${type}`).sort();
  expect(types).toEqual(['1 complete', '1 next', '2 complete', '2 next']);
});

test('the inputs of outside programs have exactly the promised fields', () => {
  const schema = buildSchema(schemaText());
  const fields = (name: string) => {
    const type = schema.getType(name);
    if (!isInputObjectType(type)) throw new Error(`${name} is not an input type`);
    return Object.fromEntries(
      Object.values(type.getFields()).map((field) => [field.name, String(field.type)]),
    );
  };
  expect(fields('CreateRunInput')).toEqual({
    id: 'ID',
    provider: 'RunProvider!',
    runtime: 'RunRuntime',
    title: 'String',
    labels: 'JSONObject',
  });
  expect(fields('RunnerEventBatchInput')).toEqual({
    v: 'Int!',
    runId: 'ID!',
    events: '[RunnerEventInput!]!',
  });
  expect(fields('RunnerEventInput')).toEqual({
    seq: 'SafeInt!',
    tMs: 'SafeInt!',
    kind: 'RunnerEventKind!',
    data: 'JSONObject!',
  });
});
