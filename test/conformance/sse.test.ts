import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { openEventStream } from '../support/event-stream.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTransports } from '../support/transports.ts';

const FOLLOW =
  'subscription ($runId: ID!, $after: SafeInt) { runEvents(runId: $runId, after: $after) { seq } }';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

/** Returns the numbers in the `next` events of runEvents. */
const numbers = (events: readonly { readonly event: string; readonly data: string }[]) =>
  events.flatMap(({ event, data }) => (event === 'next' ? [JSON.parse(data).data.runEvents.seq] : []));

test('graphql-sse follows a run to its end in distinct connections', async () => {
  const runId = await newRun(server.graphql);
  await ingest(server.graphql, runId, eventsFrom(0, 3));
  const client = createClient({ url: server.graphql, retryAttempts: 0 });
  onTestFinished(() => client.dispose());
  const seen: unknown[] = [];
  for await (const { data } of client.iterate({ query: FOLLOW, variables: { runId, after: 0 } })) {
    seen.push(data);
    if (seen.length === 2) await ingest(server.graphql, runId, [terminalAt(3)]);
  }
  expect(seen).toEqual([1, 2, 3].map((seq) => ({ runEvents: { seq } })));
});

test('a raw reader sees `next` for each event, and `complete` only after the terminal event', async () => {
  const runId = await newRun(server.graphql);
  await ingest(server.graphql, runId, eventsFrom(0, 2));
  const stream = await openEventStream(server.graphql, FOLLOW, { runId });
  expect(stream.status).toBe(200);
  expect(stream.contentType).toContain('text/event-stream');
  expect(numbers([(await stream.next())!, (await stream.next())!])).toEqual([0, 1]);
  expect(stream.text()).not.toContain('event: complete');
  await ingest(server.graphql, runId, [terminalAt(2)]);
  const rest = await stream.rest();
  expect(numbers(rest)).toEqual([2]);
  expect(rest.map(({ event }) => event)).toEqual(['next', 'complete']);
});

test('a GET that accepts any type is answered with a stream, as for curl -N', async () => {
  const runId = await newRun(server.graphql);
  await ingest(server.graphql, runId, [...eventsFrom(0, 1), terminalAt(1)]);
  const query = `subscription { runEvents(runId: "${runId}") { seq } }`;
  const response = await fetch(`${server.graphql}?query=${encodeURIComponent(query)}`);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const text = await response.text();
  expect(text.match(/^event: .*$/gm)).toEqual(['event: next', 'event: next', 'event: complete']);
});

test('a reader that disconnects releases its feed', async () => {
  const { graphql, feed } = await startTransports();
  const runId = await newRun(graphql);
  await ingest(graphql, runId, eventsFrom(0, 1));
  const stream = await openEventStream(graphql, FOLLOW, { runId });
  expect(numbers([(await stream.next())!])).toEqual([0]);
  expect(feed.watchedRuns()).toBe(1);
  stream.abort();
  await eventually(() => feed.watchedRuns() === 0);
});

test('a server stop ends the stream without complete', async () => {
  const stopping = await startTestServer();
  const runId = await newRun(stopping.graphql);
  await ingest(stopping.graphql, runId, eventsFrom(0, 1));
  const stream = await openEventStream(stopping.graphql, FOLLOW, { runId });
  expect(numbers([(await stream.next())!])).toEqual([0]);
  await stopping.close();
  expect(await stream.rest()).toEqual([]);
  expect(stream.text()).not.toContain('complete');
});

test('a refused subscription sends the reason and ends without complete', async () => {
  for (const variables of [{ runId: 'nobody' }, { runId: 'nobody', after: -2 }, { runId: [], after: 'x' }]) {
    const stream = await openEventStream(server.graphql, FOLLOW, variables);
    const events = await stream.rest();
    expect(events.map(({ event }) => event)).toEqual(['next']);
    codesOf(JSON.parse(events[0]!.data).errors);
  }
});

test('the body of a refused subscription is whole, so that curl -N exits with 0', async () => {
  for (const variables of [{ runId: 'nobody' }, { runId: 'nobody', after: -2 }]) {
    const response = await fetch(server.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: FOLLOW, variables }),
    });
    // Rejects if the connection ends before the body does.
    expect(await response.text()).toMatch(/^:\n\nevent: next\ndata: \{"errors":\[.*\]\}\n\n$/);
  }
});

test('in production a quiet stream gets a ping every 12 s, and no more', async () => {
  const environment = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  onTestFinished(() => {
    process.env.NODE_ENV = environment;
  });
  const production = await startTestServer();
  onTestFinished(() => production.close());
  const runId = await newRun(production.graphql);
  const stream = await openEventStream(production.graphql, FOLLOW, { runId });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(stream.text().match(/^:/gm) ?? []).toHaveLength(1);
  await ingest(production.graphql, runId, [...eventsFrom(0, 1), terminalAt(1)]);
  expect(numbers(await stream.rest())).toEqual([0, 1]);
});
