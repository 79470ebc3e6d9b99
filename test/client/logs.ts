import type { RunnerEvent } from '../../src/contract/events.ts';
import { post } from '../support/request.ts';

interface Page {
  readonly edges: readonly { readonly node: RunnerEvent }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const EVENTS = `query ($id: ID!, $after: String) { run(id: $id) {
  events(first: 1000, after: $after) { edges { node { seq tMs kind data } } pageInfo { hasNextPage endCursor } }
} }`;

/** Reads all stored events of a run. */
export async function readLog(graphql: string, runId: string): Promise<RunnerEvent[]> {
  const log: RunnerEvent[] = [];
  for (let after: string | null = null; ; ) {
    const { body } = await post(graphql, EVENTS, { id: runId, after });
    const { edges, pageInfo }: Page = (body.data as unknown as { run: { events: Page } }).run.events;
    log.push(...edges.map(({ node }) => node));
    if (!pageInfo.hasNextPage) return log;
    after = pageInfo.endCursor;
  }
}

/** The error that a promise rejects with. Null if it resolves. */
export function failureOf(coming: Promise<unknown>): Promise<unknown> {
  return coming.then(
    () => null,
    (error: unknown) => error,
  );
}
