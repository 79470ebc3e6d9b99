import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { post } from '../support/request.ts';
import { eventsFrom, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const UPDATES =
  'subscription ($filter: RunFilter) { runUpdated(filter: $filter) { id ended lastSeq eventCount } }';

interface Update {
  readonly id: string;
  readonly ended: boolean;
  readonly lastSeq: number | null;
  readonly eventCount: number;
}

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

async function follow(filter?: unknown) {
  const client = await openWebsocket(server.graphql);
  client.subscribe('1', UPDATES, { filter });
  // Answered after the subscription has started, so that runs created after that are not missed.
  client.send({ type: 'ping' });
  await client.next();
  return async (): Promise<Update> => {
    const { payload } = await client.next();
    return (payload as { data: { runUpdated: Update } }).data.runUpdated;
  };
}

test('a run is sent when it is created, while it grows and when it ends', async () => {
  const next = await follow({ title: 'shown', ended: null });
  const create = async (id: string, title: string) =>
    post(
      server.graphql,
      `mutation { createRun(input: { id: "${id}", provider: openai, title: "${title}" }) { __typename } }`,
    );
  await create('hidden', 'other');
  await create('shown', 'shown');
  expect(await next()).toEqual({ id: 'shown', ended: false, lastSeq: null, eventCount: 0 });
  await ingest(server.graphql, 'hidden', eventsFrom(0, 1));
  await ingest(server.graphql, 'shown', eventsFrom(0, 3));
  expect(await next()).toEqual({ id: 'shown', ended: false, lastSeq: 2, eventCount: 3 });
  await ingest(server.graphql, 'shown', [terminalAt(3)]);
  expect(await next()).toEqual({ id: 'shown', ended: true, lastSeq: 3, eventCount: 4 });
});

test('growth is merged into at most one update a second, and does not delay the end', async () => {
  const next = await follow({ ended: null, createdFrom: new Date().toISOString() });
  const runId = await newRun(server.graphql);
  const began = Date.now();
  const updates: Update[] = [];
  const reading = (async () => {
    for (let update = await next(); ; update = await next()) {
      if (update.id === runId) updates.push(update);
      if (update.id === runId && update.ended) return;
    }
  })();
  let seq = 0;
  while (Date.now() - began < 1_500) {
    await ingest(server.graphql, runId, eventsFrom(seq, 1));
    seq += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await ingest(server.graphql, runId, [terminalAt(seq)]);
  await reading;
  expect(updates.at(-1)).toEqual({ id: runId, ended: true, lastSeq: seq, eventCount: seq + 1 });
  // The creation, one update for each second that began, and the end.
  expect(updates.length).toBeLessThanOrEqual(2 + Math.ceil((Date.now() - began) / 1_000));
  expect(updates.length).toBeLessThan(seq);
});

test('an invalid filter is refused', async () => {
  const labels = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`l${index}`, 1]));
  const title = 'w '.repeat(11);
  for (const filter of [
    { providers: [] },
    { title: '\u0000' },
    { labels: { a: null } },
    { labels },
    { title },
  ]) {
    const client = await openWebsocket(server.graphql);
    client.subscribe('1', UPDATES, { filter });
    const { type, payload } = await client.next();
    expect(type).toBe('error');
    expect(codesOf(payload)).toEqual(['BAD_USER_INPUT']);
  }
});
