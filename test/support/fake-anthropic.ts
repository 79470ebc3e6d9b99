import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { releaseAfterwards } from './releases.ts';

type Fields = Readonly<Record<string, unknown>>;

/** How to answer a request. */
export type Plan =
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Breaks the connection before answering. */
  | { readonly kind: 'hang up' }
  | {
      readonly kind: 'stream';
      readonly bytes: Uint8Array;
      /** Writes the answer in separate chunks of this many bytes. */
      readonly chunkBytes?: number;
      /** Pauses this many milliseconds after each chunk. */
      readonly pauseMs?: number;
      /** What happens after the bytes. By default the answer ends normally. */
      readonly after?: 'end' | 'cut' | 'stall';
    };

/** A received request. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** A session controlled by the test. */
export interface FakeSession {
  readonly id: string;
  /** Adds events to the history and to every open stream. */
  emit(...events: readonly Fields[]): void;
  /** Adds events to the history but to no stream. */
  miss(...events: readonly Fields[]): void;
  /** Cuts every open stream. Returns how many there were. */
  cut(): number;
  /**
   * Returns how many streams are open, how many were ever opened, and how often the history was read to its
   * end.
   */
  streams(): { readonly open: number; readonly opened: number; readonly histories: number };
  /** Answers the next requests for streams with these plans. */
  refuseStreams(...plans: readonly Plan[]): void;
  /** The events sent to the session. */
  readonly received: readonly unknown[];
}

/** A provider over HTTP that is controlled by the test. */
export interface FakeAnthropic {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /**
   * Sets how the next Messages requests are answered, one after another. The last plan applies to all that
   * follow.
   */
  answer(...plans: readonly Plan[]): void;
  /** Returns the number of Messages requests whose answer has not ended. */
  openAnswers(): number;
  session(id: string, more?: Fields): FakeSession;
}

/** Returns events as the bytes of server-sent events. */
export function sse(...events: readonly Fields[]): Uint8Array {
  const text = events.map((event) => `event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`);
  return new TextEncoder().encode(text.join(''));
}

/** Returns the body of an error in the provider's format. */
export function errorBody(type: string, message: string): Fields {
  return { type: 'error', error: { type, message }, request_id: 'req_1' };
}

/** Starts a fake provider for the duration of the test. */
export async function startFakeAnthropic(): Promise<FakeAnthropic> {
  const requests: SeenRequest[] = [];
  const sessions = new Map<string, PlayedSession>();
  let plans: Plan[] = [];
  let openAnswers = 0;

  async function answerMessages(response: ServerResponse): Promise<void> {
    const plan = plans.length > 1 ? plans.shift() : plans[0];
    if (!plan) throw new Error('unexpected Messages request: call answer() with a plan first');
    openAnswers += 1;
    response.once('close', () => {
      openAnswers -= 1;
    });
    await play(plan, response);
  }

  const http = createServer((request, response) => {
    void readBody(request).then(async (body) => {
      const url = new URL(request.url ?? '', 'http://fake');
      requests.push({
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body,
      });
      if (request.method === 'POST' && url.pathname === '/v1/messages') return answerMessages(response);
      const [, id = '', rest = ''] = /^\/v1\/sessions\/([^/]+)(.*)$/.exec(url.pathname) ?? [];
      const session = sessions.get(id);
      if (!session) return json(response, 404, errorBody('not_found_error', 'no such session'));
      return answerSession(session, rest, request.method ?? '', url, body, response);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  releaseAfterwards(() => {
    http.closeAllConnections();
    http.close();
  });

  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    answer: (...next) => {
      plans = [...next];
    },
    openAnswers: () => openAnswers,
    session: (id, more = {}) => {
      const session: PlayedSession = {
        about: { type: 'session', id, ...more },
        history: [],
        open: new Set(),
        opened: 0,
        histories: 0,
        refusals: [],
        received: [],
      };
      sessions.set(id, session);
      return {
        id,
        emit: (...events) => {
          session.history.push(...events);
          for (const stream of session.open) stream.write(sse(...events));
        },
        miss: (...events) => {
          session.history.push(...events);
        },
        cut: () => {
          const { size } = session.open;
          for (const stream of session.open) stream.destroy();
          return size;
        },
        streams: () => ({
          open: session.open.size,
          opened: session.opened,
          histories: session.histories,
        }),
        refuseStreams: (...next) => {
          session.refusals.push(...next);
        },
        received: session.received,
      };
    },
  };
}

interface PlayedSession {
  readonly about: Fields;
  readonly history: Fields[];
  readonly open: Set<ServerResponse>;
  opened: number;
  histories: number;
  readonly refusals: Plan[];
  readonly received: unknown[];
}

/** Events per page of the history. Small, so that every test has several pages. */
const PAGE = 3;

async function answerSession(
  session: PlayedSession,
  rest: string,
  method: string,
  url: URL,
  body: unknown,
  response: ServerResponse,
): Promise<void> {
  if (rest === '') return json(response, 200, session.about);
  if (rest === '/events' && method === 'POST') {
    session.received.push(body);
    return json(response, 200, { data: [] });
  }
  if (rest === '/events') {
    const from = Number(url.searchParams.get('page') ?? 0);
    // Events without an id occur only in streams, not in the history.
    const told = session.history.filter((event) => event.id !== undefined);
    const next = from + PAGE < told.length ? String(from + PAGE) : null;
    if (next === null) session.histories += 1;
    return json(response, 200, { data: told.slice(from, from + PAGE), next_page: next });
  }
  const refusal = session.refusals.shift();
  if (refusal) return play(refusal, response);
  session.open.add(response);
  session.opened += 1;
  response.once('close', () => session.open.delete(response));
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': open\n\n');
}

async function play(plan: Plan, response: ServerResponse): Promise<void> {
  response.on('error', () => {});
  switch (plan.kind) {
    case 'hang up':
      response.destroy();
      return;
    case 'refuse':
      return json(response, plan.status, plan.body ?? {}, plan.headers);
    case 'stream': {
      const { bytes, chunkBytes = bytes.length, pauseMs = 0, after = 'end' } = plan;
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      response.flushHeaders();
      for (let from = 0; from < bytes.length; from += chunkBytes) {
        if (response.destroyed) return;
        await new Promise((written) => response.write(bytes.subarray(from, from + chunkBytes), written));
        await sleep(pauseMs);
      }
      if (after === 'end') response.end();
      if (after === 'cut') response.destroy();
    }
  }
}

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}
