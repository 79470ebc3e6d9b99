import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { resultOf } from '../support/operations.ts';
import { post } from '../support/request.ts';
import { eventsFrom, ingest, newRun } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const END = `mutation ($runId: ID!, $reason: String) {
  endRun(input: { runId: $runId, reason: $reason }) {
    __typename
    ... on EndRunSuccess {
      alreadyEnded
      run { ended endedAt lastSeq lastTMs nextSeq eventCount terminal { seq tMs kind data sourceSeq } }
    }
    ... on Error { code message }
  }
}`;

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const endRun = async (runId: string, reason?: string | null) => {
  const { body } = await post(server.graphql, END, { runId, reason });
  return resultOf<Record<string, unknown>>(body, 'endRun');
};

test('ends the run with a terminal event from the server, and every subscriber sees the end', async () => {
  const runId = await newRun(server.graphql);
  await ingest(server.graphql, runId, eventsFrom(3, 2));
  const client = await openWebsocket(server.graphql);
  client.subscribe('1', `subscription { runEvents(runId: "${runId}", after: 4) { seq kind sourceSeq } }`);
  const result = await endRun(runId, 'enough');
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
  expect(result).toEqual({
    __typename: 'EndRunSuccess',
    alreadyEnded: false,
    run: {
      ended: true,
      endedAt: at,
      lastSeq: 5,
      lastTMs: 4,
      nextSeq: 5,
      eventCount: 3,
      terminal: {
        seq: 5,
        tMs: 4,
        kind: 'runtime_terminal',
        data: { outcome: 'cancelled', reason: 'enough', at },
        sourceSeq: null,
      },
    },
  });
  expect(await client.next()).toMatchObject({
    payload: { data: { runEvents: { seq: 5, kind: 'runtime_terminal', sourceSeq: null } } },
  });
  expect(await client.next()).toEqual({ id: '1', type: 'complete' });
});

test('repeated changes nothing, and a late batch gets run_terminated', async () => {
  const runId = await newRun(server.graphql);
  const first = await endRun(runId);
  expect(first).toMatchObject({ alreadyEnded: false, run: { terminal: { seq: 0, tMs: 0 } } });
  expect(await endRun(runId, 'other')).toEqual({ ...first, alreadyEnded: true });
  expect(await ingest(server.graphql, runId, eventsFrom(0, 1))).toMatchObject({ code: 'run_terminated' });
});

test('the reason defaults to ended_by_request, and an unknown run is NotFound', async () => {
  const runId = await newRun(server.graphql);
  expect(await endRun(runId, null)).toMatchObject({
    run: { terminal: { data: { reason: 'ended_by_request' } } },
  });
  for (const unknown of ['nobody', "'; drop", 'x'.repeat(200)]) {
    expect(await endRun(unknown)).toMatchObject({ __typename: 'NotFound', code: 'unknown_run' });
  }
});
