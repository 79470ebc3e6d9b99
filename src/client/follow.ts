import { createClient } from 'graphql-ws';
import type { RunnerEvent } from '../contract/events.ts';

/** An event as the server delivers it. */
export interface FollowedEvent extends RunnerEvent {
  /** ISO 8601. */
  readonly committedAt: string;
}

/** What to follow. */
export interface FollowRunOptions {
  /** The server's `/graphql`, as `http:`, `https:`, `ws:` or `wss:`. */
  readonly url: string | URL;
  /** Number of the last event seen; by default -1: from the start. */
  readonly after?: number;
  /** The WebSocket class; needed where there is none by itself, as in Node 20 (the `ws` package has one). */
  readonly webSocketImpl?: unknown;
}

const FOLLOW = `subscription ($runId: ID!, $after: SafeInt) {
  runEvents(runId: $runId, after: $after) { seq tMs kind data committedAt }
}`;

/**
 * A run's events over one websocket: history first, then live; ends after the terminal event. Throws when the
 * connection ends before that: follow again, `after` the last event that was seen.
 */
export async function* followRun(
  runId: string,
  { url, after = -1, webSocketImpl }: FollowRunOptions,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const client = createClient({
    url: String(url).replace(/^http/, 'ws'),
    retryAttempts: 0,
    ...(webSocketImpl !== undefined && { webSocketImpl }),
  });
  try {
    const query = { query: FOLLOW, variables: { runId, after } };
    for await (const { data, errors } of client.iterate<{
      runEvents: FollowedEvent;
    }>(query)) {
      if (errors?.[0]) throw errors[0];
      if (data) yield data.runEvents;
    }
  } finally {
    await client.dispose();
  }
}
