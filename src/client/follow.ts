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

/** A run was not followed to its end. */
export class FollowFailed extends Error {
  override readonly name = 'FollowFailed';
  /** Why the server refuses, such as `unknown_run`; null when the connection was cut: follow again from the cursor. */
  readonly code: string | null;
  /** The websocket's close code, such as 1012; null when there was none. */
  readonly closeCode: number | null;
  constructor(
    message: string,
    { code = null, closeCode = null }: { code?: string | null; closeCode?: number | null },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.closeCode = closeCode;
  }
}

const FOLLOW = `subscription ($runId: ID!, $after: SafeInt) {
  runEvents(runId: $runId, after: $after) { seq tMs kind data committedAt }
}`;

/**
 * A run's events over one websocket: history first, then live; ends after the terminal event. Throws
 * {@link FollowFailed} when the connection ends before that: follow again, `after` the last event that was seen.
 */
export async function* followRun(
  runId: string,
  { url, after = -1, webSocketImpl }: FollowRunOptions,
): AsyncGenerator<FollowedEvent, void, undefined> {
  let completed = false;
  let cut: FollowFailed | undefined;
  const client = createClient({
    url: String(url).replace(/^http/, 'ws'),
    on: {
      message: ({ type }) => {
        completed ||= type === 'complete';
      },
      // After a close in order (1000), as a proxy's, graphql-ws would connect again by itself, with the old cursor.
      closed: (event) => {
        const failure = asFollowFailed(event);
        if (completed || failure.closeCode !== 1000) return;
        cut = failure;
        Promise.resolve(client.dispose()).catch(() => {});
      },
    },
    retryAttempts: 0,
    ...(webSocketImpl !== undefined && { webSocketImpl }),
  });
  const query = { query: FOLLOW, variables: { runId, after } };
  const results = client.iterate<{ runEvents: FollowedEvent }>(query);
  try {
    for (;;) {
      const { done, value } = await results.next().catch((cause: unknown) => {
        throw asFollowFailed(cause);
      });
      if (done) break;
      if (value.errors) throw asFollowFailed(value.errors);
      if (value.data) yield value.data.runEvents;
    }
  } finally {
    await client.dispose();
  }
  if (cut) throw cut;
}

/** What graphql-ws throws: the errors of the operation, the event that closed the socket, or the socket's error. */
function asFollowFailed(cause: unknown): FollowFailed {
  const told: { message?: unknown; reason?: unknown; code?: unknown; extensions?: { code?: unknown } } =
    (Array.isArray(cause) ? cause[0] : cause) ?? {};
  const message = [told.message, told.reason].find((words) => typeof words === 'string' && words !== '');
  return new FollowFailed(
    typeof message === 'string' ? message : 'the connection was cut',
    {
      code: typeof told.extensions?.code === 'string' ? told.extensions.code : null,
      closeCode: typeof told.code === 'number' ? told.code : null,
    },
    { cause },
  );
}
