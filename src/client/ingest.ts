import type { RunnerEventBatch } from '../contract/events.ts';

/** What the server says of a batch that it understood. */
export type IngestResult =
  | {
      readonly __typename: 'IngestEventsSuccess';
      readonly accepted: number;
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

/** How a batch is sent. */
export interface IngestOptions {
  /** The server's `/graphql`. */
  readonly url: string | URL;
  /** The producer's own number before this batch (-1: nothing sent yet): lets the server see a hole. */
  readonly previousSeq?: number;
  readonly signal?: AbortSignal;
}

/** The server gave no outcome: it was not reached, or answered a fault. The same batch may be sent again. */
export class IngestFailed extends Error {
  override readonly name = 'IngestFailed';
  /** The fault's code, such as `OVERLOADED`; null when the answer was none of a runfeed server's. */
  readonly code: string | null;
  constructor(message: string, code: string | null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const INGEST = `mutation ($batch: RunnerEventBatchInput!, $previousSeq: SafeInt) {
  ingestEvents(batch: $batch, previousSeq: $previousSeq) {
    __typename
    ... on IngestEventsSuccess { accepted duplicates lastSeq }
    ... on BatchRejected { code message eventIndex expectedSeq }
  }
}`;

interface Answer {
  readonly data?: { readonly ingestEvents?: IngestResult } | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string };
  }[];
}

/** Sends one batch over HTTP. Resolves once it is durable or refused; throws {@link IngestFailed} otherwise. */
export async function ingestBatch(
  batch: RunnerEventBatch,
  { url, previousSeq, signal }: IngestOptions,
): Promise<IngestResult> {
  let answer: Answer | null;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify({
        query: INGEST,
        variables: { batch, previousSeq },
      }),
      ...(signal && { signal }),
    });
    answer = (await response.json()) as Answer | null;
  } catch (cause) {
    throw new IngestFailed(`no answer from ${new URL(url).host}: ${String(cause)}`, null, { cause });
  }
  const outcome = answer?.data?.ingestEvents;
  if (outcome) return outcome;
  const error = answer?.errors?.[0];
  throw new IngestFailed(
    error?.message ?? 'the answer is none of a runfeed server',
    error?.extensions?.code ?? null,
  );
}
