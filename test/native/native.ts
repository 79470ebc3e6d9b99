import type { RunnerEvent } from '../../src/contract/events.ts';
import { resultOf } from '../support/operations.ts';
import { post } from '../support/request.ts';
import { eventually } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';

/** The secret that must never appear in any output. */
export const API_KEY = 'sk-ant-api03-neverToBeSeen_0123456789';

/** Returns an environment with which a server follows this provider, with little patience. */
export function nativeEnvironment(
  provider: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ANTHROPIC_API_KEY: API_KEY, ANTHROPIC_BASE_URL: provider, NATIVE_PATIENCE_MS: '20000', ...more };
}

/** Starts a server that follows this provider. The caller must close it. */
export async function startFollowing(provider: string, more?: Readonly<Record<string, string>>) {
  return startTestServer(nativeEnvironment(provider, more));
}

const START = `mutation ($input: StartNativeRunInput!) { startNativeRun(input: $input) {
  __typename
  ... on StartNativeRunSuccess { started run { id provider runtime title } }
  ... on Error { code message }
} }`;

/** The answer of `startNativeRun`. */
export interface Started {
  readonly __typename: string;
  readonly started?: boolean;
  readonly code?: string;
  readonly message?: string;
}

export async function startNative(graphql: string, input: unknown): Promise<Started> {
  return resultOf<Started>((await post(graphql, START, { input })).body, 'startNativeRun');
}

const READ = `query ($id: ID!, $after: String) { run(id: $id) { ended
  events(first: 1000, after: $after) { edges { node { seq sourceSeq kind data } } pageInfo { hasNextPage endCursor } } } }`;

/** An event of a run as the API returns it. */
export type ToldEvent = Pick<RunnerEvent, 'seq' | 'kind' | 'data'> & { readonly sourceSeq: number | null };

interface ToldRun {
  readonly ended: boolean;
  readonly events: {
    readonly edges: readonly { readonly node: ToldEvent }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  };
}

/** Reads all events of a run. */
export async function eventsOf(graphql: string, id: string): Promise<ToldEvent[]> {
  const events: ToldEvent[] = [];
  for (let after: string | null = null; ; ) {
    const run: ToldRun = resultOf<ToldRun>((await post(graphql, READ, { id, after })).body, 'run');
    events.push(...run.events.edges.map(({ node }) => node));
    if (!run.events.pageInfo.hasNextPage) return events;
    after = run.events.pageInfo.endCursor;
  }
}

/** Waits until the run has ended and reads all of its events. */
export async function endedEventsOf(graphql: string, id: string, timeoutMs = 20_000): Promise<ToldEvent[]> {
  await eventually(async () => {
    const answer = await post(graphql, 'query ($id: ID!) { run(id: $id) { ended } }', { id });
    return resultOf<{ ended: boolean }>(answer.body, 'run').ended;
  }, timeoutMs);
  return eventsOf(graphql, id);
}

/**
 * Returns kinds and data, for comparing events with an adapter's. Omits counts of skipped input, which
 * differ.
 */
export function contentOf(events: readonly Pick<RunnerEvent, 'kind' | 'data'>[]): unknown[] {
  return events.map(({ kind, data: { pings: _pings, lateLines: _late, ...data } }) => ({ kind, data }));
}

/** Returns the events that a producer sent, without the server's own. */
export function sentOf(events: readonly ToldEvent[]): ToldEvent[] {
  return events.filter(({ sourceSeq }) => sourceSeq !== null);
}

/** Counts the events of a kind. */
export function countOf(events: readonly ToldEvent[], kind: RunnerEvent['kind']): number {
  return events.filter((event) => event.kind === kind).length;
}
