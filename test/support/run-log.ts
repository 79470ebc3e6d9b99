import type { JsonObject } from '../../src/contract/events.ts';
import { post } from './request.ts';

/** An event as the server returns it. */
export interface LoggedEvent {
  readonly seq: number;
  readonly kind: string;
  readonly data: JsonObject;
}

/** A run as the server returns it. */
export interface LoggedRun {
  readonly provider: string;
  readonly runtime: string;
  readonly title: string | null;
  readonly ended: boolean;
  readonly eventCount: number;
  readonly events: readonly LoggedEvent[];
}

const RUN = `query ($id: ID!, $after: String) {
  run(id: $id) {
    provider runtime title ended eventCount
    events(first: 1000, after: $after) { nodes { seq kind data } pageInfo { hasNextPage endCursor } }
  }
}`;

/** Reads a run with all events. Null if it does not exist. */
export async function readRun(graphql: string, id: string): Promise<LoggedRun | null> {
  const events: LoggedEvent[] = [];
  for (let after: string | null = null; ; ) {
    const { body } = await post(graphql, RUN, { id, after });
    const found: unknown = body.data?.run;
    const run = found as
      | (Omit<LoggedRun, 'events'> & {
          events: {
            nodes: LoggedEvent[];
            pageInfo: { hasNextPage: boolean; endCursor: string };
          };
        })
      | null;
    if (!run) return null;
    events.push(...run.events.nodes);
    if (!run.events.pageInfo.hasNextPage) return { ...run, events };
    after = run.events.pageInfo.endCursor;
  }
}

/** Returns the whole text of the model. */
export function textOf(events: readonly LoggedEvent[]): string {
  return events.flatMap(({ kind, data }) => (kind === 'assistant_text' ? [String(data.text)] : [])).join('');
}
