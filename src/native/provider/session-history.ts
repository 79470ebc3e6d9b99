import type { JsonObject, JsonValue } from '../../contract/events.ts';
import { listOf, objectOf, parseObject, stringOf } from '../../runtimes/json.ts';
import type { Store } from '../../store/store.ts';
import { createLoggedSession, type LoggedSession } from '../logged-session.ts';
import type { Answer, ProviderRequest } from './provider.ts';

const EVENTS_A_PAGE = 100;
const LOG_PAGE = { maxEvents: 1_000, maxBytes: 4 * 1024 * 1024 };

/** Yields the pages of a session's history, the oldest event first. Stops after the first failed request. */
export async function* readHistory(
  path: string,
  ask: (path: string) => Promise<Answer<unknown>>,
): AsyncGenerator<Answer<readonly JsonObject[]>, void, undefined> {
  let after: string | undefined;
  do {
    const cursor = after === undefined ? '' : `&page=${encodeURIComponent(after)}`;
    const answer = await ask(`${path}/events?beta=true&order=asc&limit=${EVENTS_A_PAGE}${cursor}`);
    if (answer.kind !== 'answered') {
      yield answer;
      return;
    }
    const page = objectOf(answer.body as JsonValue);
    const events = (listOf(page?.data) ?? []).flatMap((value) => {
      const event = objectOf(value);
      return event === null ? [] : [event];
    });
    yield { kind: 'answered', body: events };
    const next = stringOf(page?.next_page) || undefined;
    // A page that links to itself would never end.
    after = next === after || events.length === 0 ? undefined : next;
  } while (after !== undefined);
}

/** Reads from a run's log which events of its session are stored. */
export async function readLogged(store: Store, run: number): Promise<LoggedSession> {
  const logged = createLoggedSession();
  for (let after = -1; ; ) {
    const page = await store.readPage(run, after, LOG_PAGE);
    const events = page?.events ?? [];
    for (const { sourceSeq, kind, data } of events) {
      // The server's own events are about connections, not about the session.
      if (sourceSeq !== null) logged.add({ kind, data: parseObject(data) ?? {} });
    }
    const last = events.at(-1);
    if (!last) return logged;
    after = last.seq;
  }
}

/** Creates a request to the sessions API, a POST if it has a body. */
export function sessionRequest(path: string, body?: JsonObject): ProviderRequest {
  // Without this beta, the provider has no sessions API.
  return { path, betas: ['managed-agents-2026-04-01'], ...(body && { body }) };
}
