import { describe, expect, test } from 'vitest';
import type { ReportFailed } from '../../src/client/report/failed.ts';
import { createReporter, type Reporter, type ReporterOptions } from '../../src/client/report/reporter.ts';
import { createMemorySpool } from '../../src/client/report/spool.ts';
import type { FetchLike } from '../../src/client/request/answer.ts';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { failureOf, readLog } from './logs.ts';

const QUICKLY = { firstMs: 2, longestMs: 20 };

async function start() {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  return { ...server, runId: await newRun(server.graphql) };
}

function reportTo(url: string, runId: string, options: Partial<ReporterOptions> = {}): Reporter {
  const reporter = createReporter({ runId, url, backoff: QUICKLY, flushMs: 5, ...options });
  releaseAfterwards(() => reporter.close({ deadlineMs: 0 }));
  return reporter;
}

const says = (text: string) => ({ kind: 'assistant_text', data: { text } }) as const;
const END = { kind: 'runtime_terminal', data: { outcome: 'completed' } } as const;

const REFUSED_BY_GATEWAY = JSON.stringify({
  errors: [
    { message: 'payload too large for this gateway', extensions: { code: 'INVALID_GRAPHQL_REQUEST' } },
  ],
});

const texts = (events: readonly RunnerEvent[]) => events.map(({ data }) => data.text);

describe('a reporter', () => {
  test.each([
    ['that names itself in HTML', '<html>too large</html>', 'a proxy in front of the server'],
    ['with codes of its own', REFUSED_BY_GATEWAY, 'payload too large for this gateway'],
  ])(
    'sends smaller batches through a proxy %s, and fails only for a single event',
    async (_proxy, refusal, message) => {
      const { graphql, runId } = await start();
      const sizes: number[] = [];
      const fetchImpl: FetchLike = (url, init) => {
        const { length } = Buffer.from(String(init?.body));
        sizes.push(length);
        if (length > 20_000) return Promise.resolve(new Response(refusal, { status: 413 }));
        return fetch(url, init);
      };
      const reporter = reportTo(graphql, runId, { fetchImpl });
      for (let event = 0; event < 40; event += 1) void reporter.report(says('語'.repeat(1_000)));
      await eventually(() => reporter.acknowledgedSeq() === 39);
      expect(Math.max(...sizes)).toBeGreaterThan(20_000);
      await reporter.report(says('語'.repeat(10_000)));
      await eventually(() => reporter.failure() !== null);
      expect(reporter.failure()).toMatchObject({
        code: 'BODY_TOO_LARGE',
        message: expect.stringContaining(message),
        lost: { fromSeq: 40, toSeq: 40 },
      });
      expect(texts(await readLog(graphql, runId))).toEqual(
        Array.from({ length: 40 }, () => '語'.repeat(1_000)),
      );
    },
  );

  test('sends no batch that a proxy with a limit of 1 MiB refuses', async () => {
    const { graphql, runId } = await start();
    const sizes: number[] = [];
    const fetchImpl: FetchLike = (url, init) => {
      sizes.push(Buffer.from(String(init?.body)).length);
      return fetch(url, init);
    };
    const reporter = reportTo(graphql, runId, { fetchImpl });
    for (let event = 0; event < 400; event += 1) void reporter.report(says('語'.repeat(2_100)));
    await eventually(() => reporter.acknowledgedSeq() === 399);
    expect(Math.max(...sizes)).toBeLessThan(1024 * 1024);
  });

  test.each([
    [429, 'REQUEST_RATE_LIMITED'],
    [503, 'UPSTREAM_DOWN'],
  ])('retries after %d with a code that only a gateway knows', async (status, code) => {
    const { graphql, runId } = await start();
    let refusals = 0;
    const fetchImpl: FetchLike = (url, init) => {
      refusals += 1;
      if (refusals > 3) return fetch(url, init);
      return Promise.resolve(
        Response.json({ errors: [{ message: 'no', extensions: { code } }] }, { status }),
      );
    };
    const reporter = reportTo(graphql, runId, { fetchImpl });
    await reporter.report(says('kept'));
    expect(await reporter.close()).toMatchObject({ acknowledgedSeq: 0, failure: null });
  });

  test('numbers and timestamps events in order, and reports how far the server has acknowledged', async () => {
    const { graphql, runId } = await start();
    const acknowledged: number[] = [];
    const reporter = reportTo(graphql, runId, { onAcknowledged: (seq) => acknowledged.push(seq) });
    expect(await reporter.ready()).toEqual({ nextSeq: 0, lastTMs: 0 });
    expect(reporter.acknowledgedSeq()).toBe(-1);
    const before = Date.now();
    expect(await reporter.report(says('a'))).toBe(0);
    expect(await reporter.report({ ...says('b'), tMs: 7 })).toBe(1);
    expect(await Promise.all(['c', 'd'].map((text) => reporter.report(says(text))))).toEqual([2, 3]);
    await eventually(() => reporter.acknowledgedSeq() === 3);
    expect(await reporter.report(END)).toBe(4);
    expect(await reporter.close()).toEqual({ acknowledgedSeq: 4, undelivered: null, failure: null });
    expect(acknowledged.at(-1)).toBe(4);
    const events = await readLog(graphql, runId);
    expect(events.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4]);
    expect(texts(events.slice(0, 4))).toEqual(['a', 'b', 'c', 'd']);
    expect(events[0]!.tMs).toBeGreaterThanOrEqual(before);
    expect(events[1]!.tMs).toBe(events[0]!.tMs);
    expect(events.map(({ tMs }) => tMs)).toEqual(events.map(({ tMs }) => tMs).toSorted((a, b) => a - b));
  });

  test('reports an event as it was at the call, even if the object changes later', async () => {
    const { graphql, runId } = await start();
    const reporter = reportTo(graphql, runId);
    const data = { text: 'before' };
    const reported = reporter.report({ kind: 'assistant_text', data });
    data.text = 'after';
    await reported;
    await reporter.close();
    expect(texts(await readLog(graphql, runId))).toEqual(['before']);
  });

  test('continues where the server’s log of the run ends', async () => {
    const { graphql, runId } = await start();
    const future = Date.now() + 1_000_000;
    await ingest(graphql, runId, [{ ...eventsFrom(41, 1)[0], tMs: future }]);
    const reporter = reportTo(graphql, runId);
    expect(await reporter.ready()).toEqual({ nextSeq: 42, lastTMs: future });
    expect(await reporter.report(says('on'))).toBe(42);
    await reporter.close();
    expect((await readLog(graphql, runId)).at(-1)).toMatchObject({ seq: 42, tMs: future });
  });

  test('splits events into batches within the server’s limits on count and size', async () => {
    const { graphql, runId } = await start();
    const acknowledged: number[] = [];
    const reporter = reportTo(graphql, runId, {
      onAcknowledged: (seq) => acknowledged.push(seq),
      flushMs: 10_000,
    });
    const short = Array.from({ length: 600 }, (_, index) => reporter.report(says(String(index))));
    await Promise.all(short);
    const long = Array.from({ length: 30 }, () => reporter.report(says('€'.repeat(700_000))));
    await Promise.all(long);
    expect(await reporter.close({ deadlineMs: 60_000 })).toEqual({
      acknowledgedSeq: 629,
      undelivered: null,
      failure: null,
    });
    expect(acknowledged.slice(0, 2)).toEqual([255, 511]);
    expect((await readLog(graphql, runId)).slice(0, 600).map(({ data }) => data.text)).toEqual(
      short.map((_, index) => String(index)),
    );
  });

  test('survives cuts, an outage and a restart without duplicates', async () => {
    const { graphql, url, runId, config, close } = await start();
    const proxy = await startTcpProxy(graphql);
    let retries = 0;
    const reporter = reportTo(proxy.url, runId, { onRetry: () => (retries += 1) });
    const sent: string[] = [];
    async function say(count: number): Promise<void> {
      for (let index = 0; index < count; index += 1) {
        sent.push(`${sent.length}`);
        await reporter.report(says(sent.at(-1)!));
      }
    }
    for (let cut = 0; cut < 20; cut += 1) {
      await say(20);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
      proxy.cut();
    }
    await close();
    await say(200);
    await eventually(() => retries > 3);
    const again = await startTestServer({ DATABASE_URL: config.databaseUrl, PORT: new URL(url).port });
    releaseAfterwards(() => again.close());
    await say(10);
    expect(await reporter.close()).toEqual({ acknowledgedSeq: 609, undelivered: null, failure: null });
    expect(texts(await readLog(graphql, runId))).toEqual(sent);
  });

  test('makes callers wait while its spool is full, and refuses callers that do not wait', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql);
    const spool = createMemorySpool(2_000);
    const reporter = reportTo(proxy.url, runId, { spool, nextSeq: 0 });
    proxy.stall();
    let taken = 0;
    const reports = Array.from({ length: 100 }, () =>
      reporter.report(says('x'.repeat(100))).then(() => (taken += 1)),
    );
    await eventually(() => taken > 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(taken).toBeLessThan(20);
    expect(spool.held().characters).toBeLessThanOrEqual(2_000);
    const many = Array.from({ length: 10_000 }, () => failureOf(reporter.report(says('y'))));
    const refused = (await Promise.all(many.slice(-50))).map((error) => (error as ReportFailed).code);
    expect(refused).toEqual(refused.map(() => 'too_many_waiting'));
    proxy.resume();
    await Promise.all(reports);
    await Promise.all(many);
    expect((await reporter.close()).undelivered).toBeNull();
    expect((await readLog(graphql, runId)).length).toBeGreaterThan(1_000);
  });

  test('stops permanently if the server refuses a batch, and names the lost events', async () => {
    const { graphql, runId } = await start();
    const reporter = reportTo(graphql, runId);
    await reporter.report(says('a'));
    await eventually(() => reporter.acknowledgedSeq() === 0);
    await post(graphql, `mutation ($id: ID!) { endRun(input: { runId: $id }) { __typename } }`, {
      id: runId,
    });
    await reporter.report(says('b'));
    await failureOf(reporter.report(says('c')));
    await eventually(() => reporter.failure() !== null);
    expect(reporter.failure()).toMatchObject({ code: 'run_terminated', lost: { fromSeq: 1 } });
    expect(await failureOf(reporter.report(says('d')))).toBe(reporter.failure());
    const { undelivered, failure, acknowledgedSeq } = await reporter.close();
    expect(failure).toBe(reporter.failure());
    expect(undelivered).toEqual(failure!.lost);
    expect(acknowledgedSeq).toBe(0);
  });

  test('refuses an invalid event and continues', async () => {
    const { graphql, runId } = await start();
    const reporter = reportTo(graphql, runId);
    const depth = { kind: 'notification', data: { when: Number.NaN } } as const;
    expect(await failureOf(reporter.report(depth))).toMatchObject({
      name: 'ReportFailed',
      code: 'invalid_event',
    });
    const large = says('x'.repeat(16 * 1024 * 1024));
    expect(await failureOf(reporter.report(large))).toMatchObject({ code: 'event_too_large', lost: null });
    expect(await reporter.report(END)).toBe(0);
    expect(await failureOf(reporter.report(says('late')))).toMatchObject({ code: 'run_terminated' });
    expect(await reporter.close()).toMatchObject({ acknowledgedSeq: 0, undelivered: null, failure: null });
    expect(await failureOf(reporter.report(says('later')))).toMatchObject({ code: 'closed' });
  });

  test.each([
    ['does not exist', 'unknown_run'],
    ['has ended', 'run_terminated'],
  ])('fails immediately on a run that %s', async (what, code) => {
    const { graphql, runId } = await start();
    await ingest(graphql, runId, [terminalAt(0)]);
    const reporter = reportTo(graphql, what === 'has ended' ? runId : 'nobody');
    const message =
      what === 'has ended' ? `run ${runId} has ended: report to a new run` : 'run nobody not found';
    expect(await failureOf(reporter.ready())).toMatchObject({ name: 'ReportFailed', code, message });
    expect(await failureOf(reporter.report(says('a')))).toMatchObject({ code });
    expect((await reporter.close()).failure).toMatchObject({ code, lost: null });
  });

  test('names the undelivered events at its deadline', async () => {
    const { graphql, runId } = await start();
    const proxy = await startTcpProxy(graphql);
    const reporter = reportTo(proxy.url, runId);
    await reporter.report(says('a'));
    await eventually(() => reporter.acknowledgedSeq() === 0);
    proxy.stall();
    await reporter.report(says('b'));
    await reporter.report(says('c'));
    expect(await reporter.close({ deadlineMs: 100 })).toEqual({
      acknowledgedSeq: 0,
      undelivered: { fromSeq: 1, toSeq: 2 },
      failure: null,
    });
  });
});
