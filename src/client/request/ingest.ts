import { RUNNER_EVENT_VERSION, type RunnerEventBatch } from '../../contract/events.ts';
import { addressOf } from './address.ts';
import { notRunfeed, type PostOptions, post } from './post.ts';
import { fieldOf, hasFields } from './refusals.ts';
import { authorizationOf, type Token } from './token.ts';

/** The server's verdict on a batch. */
export type IngestResult =
  | {
      readonly __typename: 'IngestEventsSuccess';
      /** The number of events that this request stored. */
      readonly accepted: number;
      /** The number of events that were already stored with the same content. */
      readonly duplicates: number;
      readonly lastSeq: number;
    }
  | {
      readonly __typename: 'BatchRejected';
      readonly code: string;
      readonly message: string;
      readonly eventIndex: number | null;
      readonly expectedSeq: number | null;
    };

/** The options of {@link ingestBatch}. */
export interface IngestOptions {
  /** The server's address, with or without `/graphql`. */
  readonly url: string | URL;
  /** The producer's own number before this batch, or -1 for its first batch. Lets the server detect a gap. */
  readonly previousSeq?: number;
  readonly token?: Token;
  readonly signal?: AbortSignal;
}

const INGEST = `mutation ($batch: RunnerEventBatchInput!, $previousSeq: SafeInt) {
  ingestEvents(batch: $batch, previousSeq: $previousSeq) {
    __typename
    ... on IngestEventsSuccess { accepted duplicates lastSeq }
    ... on BatchRejected { code message eventIndex expectedSeq }
  }
}`;

/** Sends one batch over HTTP. Resolves once it is durable or refused, else throws {@link IngestFailed}. */
export async function ingestBatch(
  batch: RunnerEventBatch,
  { url, previousSeq, token, signal }: IngestOptions,
): Promise<IngestResult> {
  const body = JSON.stringify({ query: INGEST, variables: { batch, previousSeq } });
  return send(body, {
    url: addressOf(url),
    authorization: await authorizationOf(token),
    ...(signal && { signal }),
  });
}

/** Sends events that are JSON already, like {@link ingestBatch}. `previousSeq` is the number before them. */
export function sendEvents(
  runId: string,
  events: readonly string[],
  previousSeq: number,
  options: PostOptions,
): Promise<IngestResult> {
  const batch = `{"v":${RUNNER_EVENT_VERSION},"runId":${JSON.stringify(runId)},"events":[${events.join(',')}]}`;
  const variables = `{"batch":${batch},"previousSeq":${previousSeq}}`;
  return send(`{"query":${JSON.stringify(INGEST)},"variables":${variables}}`, options);
}

async function send(body: string, options: PostOptions): Promise<IngestResult> {
  const outcome = await post(body, 'ingestEvents', options);
  if (!isResult(outcome)) throw notRunfeed();
  return outcome;
}

function isResult(value: unknown): value is IngestResult {
  return fieldOf(value, '__typename') === 'IngestEventsSuccess'
    ? hasFields(value, { accepted: 'number', duplicates: 'number', lastSeq: 'number' })
    : hasFields(value, { __typename: 'string', code: 'string', message: 'string' });
}
