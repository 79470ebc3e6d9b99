import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { followRun } from '../../src/client/follow.ts';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { readEventStream } from '../support/event-stream.ts';

/** A way to follow a run. */
export interface Connection {
  readonly over: 'websocket' | 'SSE';
  /** One connection: returns at the run's end, throws when it is cut. */
  connect(graphql: string, runId: string, after: number): AsyncGenerator<RunnerEvent, void>;
}

/** An operation was answered with an error, after which a client does not come back. */
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
  try {
    yield* followRun(runId, { url: graphql, after, webSocketImpl: WebSocket });
  } catch (error) {
    throw refusalOr(error);
  }
}

async function* batchesOverWebsocket(graphql: string, runId: string, after: number) {
  const client = createClient({
    url: graphql.replace('http', 'ws'),
    retryAttempts: 0,
    webSocketImpl: WebSocket,
  });
  const query = `subscription ($runId: ID!, $after: SafeInt) {
    runEventBatches(runId: $runId, after: $after, maxEvents: 50) { events { seq tMs kind data } cursor ended }
  }`;
  let ended = false;
  try {
    const results = client.iterate<{
      runEventBatches: { events: readonly RunnerEvent[]; cursor: number; ended: boolean };
    }>({ query, variables: { runId, after } });
    for await (const result of results) {
      const batch = dataOf(result).runEventBatches;
      if (batch.events.length > 0 && batch.cursor !== batch.events.at(-1)!.seq)
        throw new Refused('the cursor is off');
      ended = batch.ended;
      yield* batch.events;
    }
  } catch (error) {
    throw refusalOr(error);
  } finally {
    await client.dispose();
  }
  if (!ended) throw new Refused('completed before the run ended');
}

async function* eventsOverSse(graphql: string, runId: string, after: number) {
  const query = `subscription ($runId: ID!, $after: SafeInt) {
    runEvents(runId: $runId, after: $after) { seq tMs kind data }
  }`;
  const variables = JSON.stringify({ runId, after });
  const url = `${graphql}?${new URLSearchParams({ query, variables })}`;
  const leaving = new AbortController();
  try {
    for await (const { event, data } of readEventStream(url, leaving.signal)) {
      if (event === 'complete') return;
      yield dataOf<{ runEvents: RunnerEvent }>(JSON.parse(data)).runEvents;
    }
  } finally {
    leaving.abort();
  }
  throw new Error('the stream was cut');
}

function dataOf<Data>({ data, errors }: FeedResult<Data>): Data {
  if (errors || !data) throw new Refused(JSON.stringify(errors));
  return data;
}

/** A websocket operation's `error` message arrives as a list of GraphQL errors; a cut as a close event. */
function refusalOr(error: unknown): unknown {
  const refused = Array.isArray(error) || (error instanceof Object && 'extensions' in error);
  return refused ? new Refused(JSON.stringify(error)) : error;
}
