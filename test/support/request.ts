/** A GraphQL response as a client sees it. */
export interface Answer {
  readonly data?: Record<string, never> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions: Record<string, unknown>;
  }[];
}

/** Posts an operation as JSON. Returns the status and body. */
export async function post(
  url: string,
  query: string,
  variables?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: Answer }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

export const INGEST = `mutation ($b: RunnerEventBatchInput!, $previousSeq: SafeInt) {
  ingestEvents(batch: $b, previousSeq: $previousSeq) {
    __typename
    ... on IngestEventsSuccess { accepted duplicates lastSeq }
    ... on BatchRejected { code message eventIndex expectedSeq }
  }
}`;

export const CREATE_RUN = `mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }`;
