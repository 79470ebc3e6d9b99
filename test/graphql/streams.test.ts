import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { openEventStream } from '../support/event-stream.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { eventsFrom, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const EVENTS =
  'subscription ($runId: ID!, $after: SafeInt, $kinds: [RunnerEventKind!]) { runEvents(runId: $runId, after: $after, kinds: $kinds) { seq } }';
const BATCHES =
  'subscription ($runId: ID!, $after: SafeInt, $kinds: [RunnerEventKind!], $maxEvents: Int) { runEventBatches(runId: $runId, after: $after, kinds: $kinds, maxEvents: $maxEvents) { runId events { seq } cursor caughtUp ended gap { fromSeq } } }';

interface Batch {
  readonly events: readonly { readonly seq: number }[];
  readonly cursor: number;
  readonly caughtUp: boolean;
  readonly ended: boolean;
}

/** Returns the results of a subscription one after another; null when it completes. */
type Next = () => Promise<{ data?: Record<string, unknown>; errors?: unknown } | null>;

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const transports: readonly (readonly [string, (query: string, variables: object) => Promise<Next>])[] = [
  [
    'websocket',
    async (query, variables) => {
      const client = await openWebsocket(server.graphql);
      client.subscribe('1', query, variables);
      return async () => {
        const { type, payload } = await client.next();
        if (type === 'complete') return null;
        return type === 'error' ? { errors: payload } : (payload as { data: Record<string, unknown> });
      };
    },
  ],
  [
    'SSE',
    async (query, variables) => {
      const stream = await openEventStream(server.graphql, query, variables);
      return async () => {
        const event = await stream.next();
        if (!event) throw new Error('the stream was cut');
        return event.event === 'complete' ? null : JSON.parse(event.data);
      };
    },
  ],
];

for (const [transport, subscribe] of transports) {
  const events = async (variables: object) => {
    const next = await subscribe(EVENTS, variables);
    return async () => {
      const result = await next();
      return result && (result.data as { runEvents: { seq: number } }).runEvents.seq;
    };
  };
  const batches = async (variables: object) => {
    const next = await subscribe(BATCHES, variables);
    return async () => {
      const result = await next();
      return result && (result.data as { runEventBatches: Batch }).runEventBatches;
    };
  };

  describe(`feeds over ${transport}`, () => {
    test('sends history, then live events, then complete after the terminal event', async () => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, eventsFrom(0, 2));
      const next = await events({ runId });
      expect([await next(), await next()]).toEqual([0, 1]);
      await ingest(server.graphql, runId, eventsFrom(7, 1));
      expect(await next()).toBe(7);
      await ingest(server.graphql, runId, [terminalAt(8)]);
      expect([await next(), await next()]).toEqual([8, null]);
    });

    test('`after` continues behind that event, and waits if the log has not reached it', async () => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, eventsFrom(0, 5));
      const [fromStart, resumed, beyond] = [
        await events({ runId, after: -1 }),
        await events({ runId, after: 3 }),
        await events({ runId, after: 6 }),
      ];
      expect([await fromStart(), await resumed()]).toEqual([0, 4]);
      await ingest(server.graphql, runId, [...eventsFrom(5, 3), terminalAt(8)]);
      expect([await resumed(), await beyond(), await beyond(), await beyond()]).toEqual([5, 7, 8, null]);
    });

    test('an ended run with nothing left completes at once', async () => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, [...eventsFrom(0, 1), terminalAt(1)]);
      for (const after of [1, 2, 1_000_000]) {
        expect(await (await events({ runId, after }))()).toBeNull();
        expect(await (await batches({ runId, after }))()).toBeNull();
      }
    });

    test('`kinds` omits other kinds, but never the terminal event', async () => {
      const runId = await newRun(server.graphql);
      const tool = { seq: 1, tMs: 1, kind: 'tool_request', data: {} };
      await ingest(server.graphql, runId, [...eventsFrom(0, 1), tool, ...eventsFrom(2, 1), terminalAt(3)]);
      const next = await events({ runId, kinds: ['tool_request'] });
      expect([await next(), await next(), await next()]).toEqual([1, 3, null]);
      expect(await (await batches({ runId, kinds: ['skill_loaded'] }))()).toMatchObject({
        events: [{ seq: 3 }],
        cursor: 3,
        ended: true,
      });
    });

    test('batches have at most maxEvents, 256 by default', async () => {
      const runId = await newRun(server.graphql);
      await fill(server.graphql, runId, 0, 1_500);
      for (const [maxEvents, size] of [
        [undefined, 256],
        [1, 1],
        [1_024, 1_024],
      ] as const) {
        const next = await batches({ runId, maxEvents });
        const first = await next();
        expect(first?.events).toHaveLength(size);
        expect(first).toMatchObject({ cursor: size - 1, caughtUp: false, ended: false });
      }
    });

    test('a batch is cut at about 1 MiB', async () => {
      const runId = await newRun(server.graphql);
      const data = { text: 'x'.repeat(300 * 1024) };
      const big = eventsFrom(0, 8).map((event) => ({ ...event, data }));
      await ingest(server.graphql, runId, big);
      const next = await batches({ runId });
      const sizes = [(await next())?.events.length, (await next())?.events.length];
      expect(sizes).toEqual([4, 4]);
    });

    test('an empty run is caught up with an empty batch at cursor -1', async () => {
      const runId = await newRun(server.graphql);
      const next = await batches({ runId });
      expect(await next()).toEqual({
        runId,
        events: [],
        cursor: -1,
        caughtUp: true,
        ended: false,
        gap: null,
      });
      await ingest(server.graphql, runId, [terminalAt(0)]);
      expect(await next()).toMatchObject({ events: [{ seq: 0 }], cursor: 0, caughtUp: true, ended: true });
      expect(await next()).toBeNull();
    });

    test('the cursor advances while `kinds` filters out all events', async () => {
      const runId = await newRun(server.graphql);
      const next = await batches({ runId, kinds: ['tool_request'] });
      expect(await next()).toMatchObject({ events: [], cursor: -1, caughtUp: true });
      await ingest(server.graphql, runId, eventsFrom(0, 3));
      expect(await next()).toMatchObject({ events: [], cursor: 2 });
    });

    const refused: readonly [string, object, string][] = [
      ['kinds without a kind', { kinds: [] }, 'BAD_USER_INPUT'],
      ['an unknown kind', { kinds: ['nope'] }, 'BAD_USER_INPUT'],
      ['a cursor below -1', { after: -2 }, 'BAD_USER_INPUT'],
      ['a fractional cursor', { after: 1.5 }, 'BAD_USER_INPUT'],
      ['maxEvents of 0', { maxEvents: 0 }, 'BAD_USER_INPUT'],
      ['maxEvents of 1,025', { maxEvents: 1_025 }, 'BAD_USER_INPUT'],
      ['an unknown run', { runId: 'nobody' }, 'unknown_run'],
      ['an id that no run can have', { runId: "'; drop" }, 'unknown_run'],
      ['an id that is too long', { runId: 'x'.repeat(129) }, 'unknown_run'],
      ['an empty id', { runId: '' }, 'unknown_run'],
    ];
    for (const [what, variables, code] of refused) {
      test(`${what} is ${code}`, async () => {
        const { body } = await post(server.graphql, CREATE_RUN, { id: 'there' });
        expect(body.errors).toBeUndefined();
        const next = await subscribe(BATCHES, { runId: 'there', ...variables });
        expect(codesOf((await next())?.errors)).toEqual([code]);
      });
    }
  });
}

describe.each([
  ['shared by all subscribers', 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq } }'],
  [
    'executed',
    'subscription ($runId: ID!) { ...F } fragment F on Subscription { runEvents(runId: $runId) { seq } }',
  ],
])('over HTTP, a subscription that is %s', (_how, query) => {
  test.each(['*/*', 'application/json, text/*', 'text/event-stream;q=0.5'])(
    'is streamed to a client that accepts %s',
    async (accept) => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, [...eventsFrom(0, 2), terminalAt(2)]);
      const stream = await openEventStream(server.graphql, query, { runId }, { accept });
      expect(stream.contentType).toBe('text/event-stream');
      const events = await stream.rest();
      expect(events.map(({ event }) => event)).toEqual(['next', 'next', 'next', 'complete']);
    },
  );

  test('is refused to a client that accepts only JSON', async () => {
    const runId = await newRun(server.graphql);
    const response = await fetch(server.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query, variables: { runId } }),
    });
    expect([response.status, await response.text()]).toEqual([406, '']);
  });
});
