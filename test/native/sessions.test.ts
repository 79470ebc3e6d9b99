import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capturesOf, capturesPresent, frameObjectsOf } from '../runtimes/captures.ts';
import { event, idle, message, running } from '../runtimes/sessions-frames.ts';
import { errorBody, type FakeSession, startFakeAnthropic } from '../support/fake-anthropic.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, eventually, ingest } from '../support/runs.ts';
import {
  API_KEY,
  contentOf,
  countOf,
  endedEventsOf,
  eventsOf,
  sentOf,
  startFollowing,
  startNative,
} from './native.ts';
import { adapted, named, TURN } from './turn.ts';

type Fields = Readonly<Record<string, unknown>>;

async function following(more?: Readonly<Record<string, string>>) {
  const provider = await startFakeAnthropic();
  const server = await startFollowing(provider.url, more);
  releaseAfterwards(() => server.close());
  const start = async (session: FakeSession) => {
    const started = await startNative(server.graphql, { runId: session.id, sessionId: session.id });
    expect(started).toMatchObject({ __typename: 'StartNativeRunSuccess', started: true });
  };
  return { provider, server, start };
}

/**
 * Waits until the stream was opened and the history read after it: later events come from the stream only.
 */
const isFollowed = (session: FakeSession) =>
  eventually(() => {
    const { open, opened, histories } = session.streams();
    return open === 1 && histories >= opened;
  });

test.skipIf(!capturesPresent)(
  'a recorded session gives the events of its adapter (skipped: the recordings are missing)',
  async () => {
    const { provider, server, start } = await following();
    for (const [index, capture] of capturesOf('anthropic-sessions').entries()) {
      const frames = frameObjectsOf<Fields>(capture);
      const session = provider.session(`capture-${index}`);
      await start(session);
      await isFollowed(session);
      session.emit(...frames);
      const events = await endedEventsOf(server.graphql, session.id);
      expect(contentOf(events), capture.file).toEqual(contentOf(adapted(frames, { id: session.id })));
    }
  },
);

test('a session is followed from its history to the end of its turn, across a pause', async () => {
  const { provider, server, start } = await following();
  const about = { agent: { skills: [{ type: 'custom', skill_id: 's', version: '1' }] } };
  const session = provider.session('s1', about);
  session.miss(...TURN.slice(0, 5));
  await start(session);
  await eventually(async () => (await eventsOf(server.graphql, 's1')).length > 4);
  session.emit(...TURN.slice(5, 9));
  await eventually(async () =>
    (await eventsOf(server.graphql, 's1')).some(({ data }) => data.event === 'waiting'),
  );
  session.emit({ type: 'ping' }, ...TURN.slice(9));
  const events = await endedEventsOf(server.graphql, 's1');
  expect(contentOf(events)).toEqual(contentOf(adapted(TURN, { id: 's1', ...about })));
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index));
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', reason: 'end_turn' });
  await eventually(() => session.streams().open === 0);
  expect(provider.requests[0]).toMatchObject({
    path: '/v1/sessions/s1?beta=true',
    headers: { 'x-api-key': API_KEY, 'anthropic-beta': 'managed-agents-2026-04-01' },
  });
});

test('earlier turns in the history are part of the run, and none of them ends it', async () => {
  const { provider, server, start } = await following();
  const session = provider.session('s1');
  const turns = named([running(), idle('end_turn'), event('user.message', { content: [] })]);
  session.miss(...turns);
  await start(session);
  await isFollowed(session);
  const rest = [running(), message('m', 'hi'), idle('end_turn')].map((each, at) => ({
    id: `late_${at}`,
    ...each,
  }));
  session.emit(...rest);
  const events = await endedEventsOf(server.graphql, 's1');
  expect(contentOf(events)).toEqual(contentOf(adapted([...turns, ...rest], { id: 's1' })));
});

/** Pauses double from 0.5 s, so more refusals in a row could take longer than the server's patience of 20 s. */
const MOST_REFUSALS = 4;

test('connections that break anywhere neither lose nor repeat events', async () => {
  const { provider, server, start } = await following();
  let sessions = 0;
  const step = fc.oneof(
    { arbitrary: fc.constant('emit'), weight: 6 },
    { arbitrary: fc.constantFrom('miss', 'cut', 'refuse', 'error'), weight: 2 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 30 }), async (steps) => {
      sessions += 1;
      const session = provider.session(`s${sessions}`);
      await start(session);
      const left = [...TURN];
      let refusals = 0;
      for (const what of steps) {
        const next = left.length > 1 ? left.shift() : undefined;
        if (what === 'emit' && next) session.emit(next);
        else if (next) session.miss(next);
        if (what === 'refuse' && refusals < MOST_REFUSALS) {
          refusals += 1;
          session.refuseStreams({ kind: 'refuse', status: 503 });
        }
        if (what === 'error') session.emit(errorBody('overloaded_error', 'busy'));
        if (what !== 'emit') session.cut();
        // Lets the server get some way.
        if (what === 'cut') await sleep(20);
      }
      session.emit(...left);
      session.cut();
      const events = await endedEventsOf(server.graphql, session.id);
      expect(contentOf(sentOf(events))).toEqual(contentOf(adapted(TURN, { id: session.id })));
      expect(countOf(events, 'runtime_terminal')).toBe(1);
    }),
    { numRuns: 8 },
  );
}, 120_000);

test('a stream that is silent for too long is reopened', async () => {
  const { provider, server, start } = await following({ NATIVE_IDLE_MS: '300' });
  const session = provider.session('s1');
  await start(session);
  await isFollowed(session);
  session.miss(...TURN);
  const events = await endedEventsOf(server.graphql, 's1');
  expect(contentOf(sentOf(events))).toEqual(contentOf(adapted(TURN, { id: 's1' })));
  expect(events[0]).toMatchObject({
    kind: 'stream_error',
    data: { errorType: 'idle_timeout', retrying: true },
  });
});

test('a session that does not exist ends its run, and so does one that fails for too long', async () => {
  const { provider, server, start } = await following({ NATIVE_PATIENCE_MS: '200' });
  await startNative(server.graphql, { runId: 'nowhere', sessionId: 'nowhere' });
  expect(await endedEventsOf(server.graphql, 'nowhere')).toMatchObject([
    { kind: 'runtime_terminal', data: { outcome: 'failed', reason: 'not_found_error', status: 404 } },
  ]);
  const session = provider.session('s1');
  session.refuseStreams(...Array.from({ length: 50 }, () => ({ kind: 'refuse', status: 500 }) as const));
  await start(session);
  const events = await endedEventsOf(server.graphql, 's1');
  expect(events.at(-1)).toMatchObject({ data: { outcome: 'failed', reason: 'http_500', status: 500 } });
  expect(countOf(events, 'runtime_terminal')).toBe(1);
});

test('endRun interrupts the session, and until then the run refuses events of other senders', async () => {
  const { provider, server, start } = await following();
  const session = provider.session('s1');
  await start(session);
  await isFollowed(session);
  session.emit(...TURN.slice(0, 4));
  await eventually(async () => (await eventsOf(server.graphql, 's1')).length > 3);
  expect(await ingest(server.graphql, 's1', eventsFrom(90, 1))).toMatchObject({ code: 'claim_refused' });
  await post(server.graphql, 'mutation { endRun(input: { runId: "s1" }) { __typename } }');
  await eventually(() => session.received.length > 0 && session.streams().open === 0);
  expect(session.received).toEqual([{ events: [{ type: 'user.interrupt' }] }]);
  expect((await eventsOf(server.graphql, 's1')).at(-1)?.data).toMatchObject({ outcome: 'cancelled' });
});

test('a session that has ended is not interrupted', async () => {
  const { provider, server, start } = await following();
  const session = provider.session('s1');
  session.miss(...TURN);
  await start(session);
  await endedEventsOf(server.graphql, 's1');
  await server.close();
  expect(session.received).toEqual([]);
});
