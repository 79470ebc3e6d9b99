import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { openEventStream } from '../support/event-stream.ts';

/** A way to follow a run. */
export interface Connection {
  readonly over: 'websocket' | 'SSE';
  /**
   * Opens one connection. The generator returns at the end of the run and throws if the connection is cut.
   */
  connect(graphql: string, runId: string, after: number): AsyncGenerator<RunnerEvent, void>;
}

/** An operation was answered with an error, after which a client does not reconnect. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

interface FeedResult<Data> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly unknown[] | undefined;
}

/** Every way to follow a run. */
export const CONNECTIONS: readonly Connection[] = [
  { over: 'websocket', connect: eventsOverWebsocket },
  { over: 'websocket', connect: batchesOverWebsocket },
  { over: 'SSE', connect: eventsOverSse },
];

async function* eventsOverWebsocket(graphql: string, runId: string, after: number) {
  const query = `subscription ($runId: ID!, $after: SafeInt) {
    runEvents(runId: $runId, after: $after) { seq tMs kind data }
  }`;
  const results = overWebsocket<{ runEvents: RunnerEvent }>(graphql, query, { runId, after });
  for await (const { runEvents } of results) yield runEvents;
}

async function* batchesOverWebsocket(graphql: string, runId: string, after: number) {
  const query = `subscription ($runId: ID!, $after: SafeInt) {
    runEventBatches(runId: $runId, after: $after, maxEvents: 50) { events { seq tMs kind data } cursor ended }
  }`;
  let ended = false;
  let cursor = after;
  const results = overWebsocket<{
    runEventBatches: { events: readonly RunnerEvent[]; cursor: number; ended: boolean };
  }>(graphql, query, { runId, after });
  for await (const { runEventBatches: batch } of results) {
    if (batch.events.length > 0 && batch.cursor !== batch.events.at(-1)!.seq)
      throw new Refused('the cursor does not match the events');
    ended = batch.ended;
    cursor = batch.cursor;
    yield* batch.events;
  }
  // A client that was cut between the terminal event and the end and reconnects receives only the end.
  const isNew = after === -1 || cursor > after;
  if (!ended && isNew) throw new Refused('completed before the run ended');
}

async function* overWebsocket<Data>(graphql: string, query: string, variables: Record<string, unknown>) {
  const client = createClient({
    url: graphql.replace('http', 'ws'),
    retryAttempts: 0,
    webSocketImpl: WebSocket,
  });
  try {
    for await (const result of client.iterate<Data>({ query, variables })) yield dataOf(result);
  } catch (error) {
    // An `error` message arrives as a list of GraphQL errors, and a cut as a close event.
    throw Array.isArray(error) ? new Refused(JSON.stringify(error)) : error;
  } finally {
    await client.dispose();
  }
}

async function* eventsOverSse(graphql: string, runId: string, after: number) {
  const query = `subscription ($runId: ID!, $after: SafeInt) {
    runEvents(runId: $runId, after: $after) { seq tMs kind data }
  }`;
  const stream = await openEventStream(graphql, query, { runId, after });
  try {
    for (let event = await stream.next(); event; event = await stream.next()) {
      if (event.event === 'complete') return;
      yield dataOf<{ runEvents: RunnerEvent }>(JSON.parse(event.data)).runEvents;
    }
  } finally {
    stream.abort();
  }
  throw new Error(`the stream with status ${stream.status} was cut`);
}

function dataOf<Data>({ data, errors }: FeedResult<Data>): Data {
  if (errors || !data) throw new Refused(JSON.stringify(errors));
  return data;
}
