import type { PreparedBatch } from './batches.ts';

const INGEST = `mutation ($batch: RunnerEventBatchInput!) {
  ingestEvents(batch: $batch) {
    __typename
    ... on IngestEventsSuccess { accepted duplicates lastSeq }
    ... on BatchRejected { code message }
  }
}`;
const FOLLOW = 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq tMs kind data } }';

/** Returns the request that sends a batch: the body over HTTP, the payload over the websocket. */
export function ingestPayload(runId: string, { json }: PreparedBatch): string {
  return `${INGEST_HEAD}${JSON.stringify(runId)},"events":${json}}}}`;
}
const INGEST_HEAD = `{"query":${JSON.stringify(INGEST)},"variables":{"batch":{"v":1,"runId":`;

/** Returns the request that subscribes to a run's single events. */
export function followPayload(runId: string): string {
  return JSON.stringify({ query: FOLLOW, variables: { runId } });
}

/**
 * Returns the request that subscribes to a run in batches. A batch without an event marks the end of the
 * history.
 */
export function followBatchesPayload(runId: string, after: number, maxEvents: number): string {
  return JSON.stringify({ query: FOLLOW_BATCHES, variables: { runId, after, maxEvents } });
}
const FOLLOW_BATCHES = `subscription ($runId: ID!, $after: SafeInt, $maxEvents: Int) {
  runEventBatches(runId: $runId, after: $after, maxEvents: $maxEvents) {
    events { seq tMs kind data } cursor caughtUp
  }
}`;

/** Returns the request that subscribes to events with their commit times. */
export function followTimesPayload(runId: string): string {
  return JSON.stringify({ query: FOLLOW_TIMES, variables: { runId } });
}
const FOLLOW_TIMES =
  'subscription ($runId: ID!) { runEvents(runId: $runId) { seq committedAt tMs kind data } }';

interface IngestAnswer {
  readonly data?: {
    readonly ingestEvents?: { readonly __typename: string; readonly accepted: number };
  } | null;
}

/** Returns how many events the server says it stored. Throws on any other answer. */
export function acceptedOf(answer: unknown): number {
  const result = (answer as IngestAnswer).data?.ingestEvents;
  if (result?.__typename !== 'IngestEventsSuccess') throw new Error(`refused: ${JSON.stringify(answer)}`);
  return result.accepted;
}

/** Runs per request. A document with more fields may be refused. */
const RUNS_A_REQUEST = 100;

/** Creates runs with these ids. Throws if the server refuses one. */
export async function createRuns(graphqlUrl: string, ids: readonly string[]): Promise<void> {
  for (let done = 0; done < ids.length; done += RUNS_A_REQUEST) {
    await createSomeRuns(graphqlUrl, ids.slice(done, done + RUNS_A_REQUEST));
  }
}

async function createSomeRuns(graphqlUrl: string, ids: readonly string[]): Promise<void> {
  const fields = ids.map(
    (id, index) =>
      `r${index}: createRun(input: { id: "${id}", provider: anthropic, runtime: managed }) { __typename }`,
  );
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `mutation { ${fields.join('\n')} }` }),
  });
  const answer = (await response.json()) as { data?: Record<string, { __typename: string }> | null };
  const made = Object.values(answer.data ?? {});
  if (made.length !== ids.length || made.some(({ __typename }) => __typename !== 'CreateRunSuccess')) {
    throw new Error(`createRun failed: ${JSON.stringify(answer)}`);
  }
}
