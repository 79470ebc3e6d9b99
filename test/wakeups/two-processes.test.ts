import { expect, test } from 'vitest';
import { valuesOf } from '../../src/feed/batches.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { FEED_LIMITS } from '../../src/feed/limits.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { openStore } from '../../src/store/open.ts';
import { openTestPlane } from '../suites/remote-wakeups.ts';
import { describePostgres, freshPostgresUrl } from '../support/databases.ts';
import { openEventStream } from '../support/event-stream.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';
import { redisUrl } from './carriers.ts';

const EVENTS = 20;

function event(seq: number) {
  const kind = seq === EVENTS ? 'runtime_terminal' : 'assistant_text';
  return { seq, tMs: 1_000 + seq, kind, data: {} } as const;
}

describePostgres('two processes that wake each other over Postgres', () => testTwoProcesses({}));

describePostgres('two processes that wake each other over Redis', () => {
  if (redisUrl) testTwoProcesses({ REDIS_URL: redisUrl });
  else test.skip('set TEST_REDIS_URL to run it', () => {});
});

function testTwoProcesses(env: Readonly<Record<string, string>>): void {
  test('events stored by one reach the subscribers of the other, up to the terminal event', async () => {
    const [one, other] = await startTwo();
    expect((await post(one.graphql, CREATE_RUN, { id: 'r' })).body.errors).toBeUndefined();
    const stream = await openEventStream(other.graphql, 'subscription { runEvents(runId: "r") { seq } }');
    for (let seq = 0; seq <= EVENTS; seq += 1) {
      const answer = await post(one.graphql, INGEST, { b: { v: 1, runId: 'r', events: [event(seq)] } });
      expect(answer.body.data?.ingestEvents).toMatchObject({ accepted: 1 });
      expect(JSON.parse((await stream.next())!.data)).toEqual({ data: { runEvents: { seq } } });
    }
    expect(await stream.next()).toMatchObject({ event: 'complete' });
  });

  // Run updates are not polled: only a wake can announce them.
  test('runs that are created, grow and end at one are reported to subscribers of the other', async () => {
    const [one, other] = await startTwo();
    const stream = await openEventStream(other.graphql, 'subscription { runUpdated { id eventCount } }');
    // The subscription may not be registered before the first update arrives.
    const registered = stream.next();
    for (let told = false, tries = 0; !told; tries += 1) {
      await post(one.graphql, CREATE_RUN, { id: `first-${tries}` });
      told = await Promise.race([
        registered.then(() => true),
        new Promise<false>((r) => setTimeout(r, 50, false)),
      ]);
    }
    await post(one.graphql, CREATE_RUN, { id: 'r' });
    await untilUpdated({ id: 'r', eventCount: 0 });
    for (const seq of [0, EVENTS]) {
      await post(one.graphql, INGEST, { b: { v: 1, runId: 'r', events: [event(seq)] } });
      await untilUpdated({ id: 'r', eventCount: seq === 0 ? 1 : 2 });
    }

    async function untilUpdated(run: { id: string; eventCount: number }): Promise<void> {
      for (;;) {
        const next = await stream.next();
        const { data } = JSON.parse(next!.data);
        if (data.runUpdated.id !== run.id) continue;
        expect(data).toEqual({ runUpdated: run });
        return;
      }
    }
  });

  test('wakes are enough: a feed that never polls misses no event', async () => {
    const databaseUrl = await freshPostgresUrl();
    const [one, other] = [await openProcess(), await openProcess()];
    const { run } = await one.store.createRun({
      workspace: 'default',
      id: 'r',
      provider: 'openai',
      runtime: 'managed',
      title: null,
      labels: '{}',
      createdAt: 0,
    });
    const seen: number[] = [];
    let next = () => {};
    const followed = (async () => {
      const request = {
        run: run.key,
        after: -1,
        kinds: null,
        maxEvents: 100,
        maxBytes: 1_000_000,
        idleMs: () => null,
      };
      for await (const step of valuesOf(() => other.feed.open(request, new AbortController().signal))) {
        seen.push(...step.events.map(({ seq }) => seq));
        next();
      }
    })();
    for (let seq = 0; seq <= EVENTS; seq += 1) {
      const arrived = new Promise<void>((resolve) => {
        next = () => seen.includes(seq) && resolve();
      });
      // Both processes write to the same log in turns.
      const writer = seq % 2 === 0 ? one : other;
      const { ok } = await writer.ingest.append(run, {
        events: [{ ...event(seq), data: '{}' }],
        previousSeq: null,
      });
      expect(ok).toBe(true);
      await arrived;
    }
    await followed;
    expect(seen).toEqual(Array.from({ length: EVENTS + 1 }, (_, seq) => seq));
    expect(other.feed.foundByPoll()).toBe(0);

    async function openProcess() {
      const store = await openStore(databaseUrl);
      releaseAfterwards(() => store.close());
      const plane = await openTestPlane({ databaseUrl, redisUrl: env.REDIS_URL ?? null });
      const feed = createFeed(store, plane, { ...FEED_LIMITS, pollMs: 2 ** 31 - 1 });
      releaseAfterwards(() => feed.close());
      return { store, feed, ingest: createIngest(store, plane) };
    }
  });

  async function startTwo() {
    const DATABASE_URL = await freshPostgresUrl();
    const servers = [];
    for (let count = 0; count < 2; count += 1) {
      const server = await startTestServer({ DATABASE_URL, ...env });
      releaseAfterwards(() => server.close());
      servers.push(server);
    }
    return servers as [(typeof servers)[0], (typeof servers)[0]];
  }
}
