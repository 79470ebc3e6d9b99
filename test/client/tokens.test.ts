import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createReporter } from '../../src/client/report/reporter.ts';
import { ingestBatch } from '../../src/client/request/ingest.ts';
import { streamEvents } from '../../src/client/stream/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { failureOf, readLog } from './logs.ts';
import { openTokenGate } from './token-gate.ts';

const QUICKLY = { firstMs: 2, longestMs: 20 };
const REFUSED = { code: 'UNAUTHENTICATED', message: expect.not.stringContaining('wrong') };

async function start(token: string) {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  const runId = await newRun(server.graphql);
  return { graphql: server.graphql, runId, gate: await openTokenGate(server.graphql, token) };
}

/** Returns these tokens one after the other, then the last one forever. */
function issuer(...tokens: string[]): () => Promise<string> {
  return async () => (tokens.length > 1 ? tokens.shift()! : tokens[0]!);
}

describe.each(['websocket', 'sse'] as const)('streamEvents with a token over %s', (transport) => {
  const options = { transport, webSocketImpl: WebSocket, backoff: QUICKLY };

  test('gets a fresh token if the first is refused', async () => {
    const { graphql, runId, gate } = await start('fresh');
    await ingest(graphql, runId, [...eventsFrom(0, 2), terminalAt(2)]);
    const token = issuer('stale', 'fresh');
    const seen: number[] = [];
    for await (const { seq } of streamEvents(runId, { url: gate.graphql, token, ...options })) seen.push(seq);
    expect(seen).toEqual([0, 1, 2]);
    expect(gate.shown).toEqual(['Bearer stale', 'Bearer fresh']);
  });

  test('gives up if a fresh token is refused too, and does not repeat the token in the error', async () => {
    const { runId, gate } = await start('right');
    for (const token of ['wrong', issuer('wrong-1', 'wrong-2')]) {
      const before = gate.shown.length;
      const failure = await failureOf(streamEvents(runId, { url: gate.graphql, token, ...options }).next());
      expect(failure).toMatchObject({ name: 'StreamRefused', ...REFUSED });
      expect(gate.shown.length - before).toBe(2);
    }
  });

  test('throws a TypeError without the token if the token is invalid in a header', async () => {
    const { runId, gate } = await start('right');
    const events = streamEvents(runId, { url: gate.graphql, token: 'wrong\nx', ...options });
    const failure = await failureOf(events.next());
    expect(failure).toBeInstanceOf(TypeError);
    expect(String(failure)).not.toContain('wrong');
  });

  test('retries a token function that throws', async () => {
    const { graphql, runId, gate } = await start('fresh');
    await ingest(graphql, runId, [terminalAt(0)]);
    let asked = 0;
    const token = () => {
      asked += 1;
      if (asked < 4) throw new Error('closed today');
      return 'fresh';
    };
    const events = streamEvents(runId, { url: gate.graphql, token, ...options });
    expect((await events.next()).value?.seq).toBe(0);
    expect(asked).toBe(4);
  });
});

test('a token that expires on an open websocket is renewed each time', async () => {
  const { graphql, runId, gate } = await start('0');
  let day = 0;
  const events = streamEvents(runId, {
    url: gate.graphql,
    transport: 'websocket',
    webSocketImpl: WebSocket,
    backoff: QUICKLY,
    token: () => String(day),
  });
  const seen: number[] = [];
  for (; day < 5; day += 1, gate.take(String(day))) {
    await ingest(graphql, runId, eventsFrom(day, 1));
    seen.push((await events.next()).value!.seq);
  }
  await ingest(graphql, runId, [terminalAt(5)]);
  for await (const { seq } of events) seen.push(seq);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
});

describe('a reporter with a token', () => {
  test('keeps the token until it is refused, then gets a fresh one and loses nothing', async () => {
    const { graphql, runId, gate } = await start('first');
    let asked = 0;
    let current = 'first';
    const token = () => {
      asked += 1;
      return current;
    };
    const reporter = createReporter({ runId, url: gate.graphql, token, backoff: QUICKLY, flushMs: 1 });
    const say = (text: string) => reporter.report({ kind: 'assistant_text', data: { text } });
    for (const text of ['a', 'b', 'c']) {
      await say(text);
      await eventually(() => reporter.acknowledgedSeq() === text.charCodeAt(0) - 97);
    }
    expect(asked).toBe(1);
    current = 'second';
    gate.take('second');
    await say('d');
    expect(await reporter.close()).toEqual({ acknowledgedSeq: 3, undelivered: null, failure: null });
    expect(asked).toBe(2);
    expect((await readLog(graphql, runId)).map(({ data }) => data.text).join('')).toBe('abcd');
  });

  test('stops if a fresh token is refused too, and names the lost events', async () => {
    const { runId, gate } = await start('right');
    const reporter = createReporter({
      runId,
      url: gate.graphql,
      token: 'wrong',
      nextSeq: 0,
      backoff: QUICKLY,
    });
    await reporter.report({ kind: 'assistant_text', data: { text: 'a' } });
    await eventually(() => reporter.failure() !== null);
    expect(reporter.failure()).toMatchObject({ ...REFUSED, lost: { fromSeq: 0, toSeq: 0 } });
    await reporter.close();
    expect(gate.shown).toEqual(['Bearer wrong', 'Bearer wrong']);
  });
});

test('ingestBatch sends its token, and throws UNAUTHENTICATED without one', async () => {
  const { runId, gate } = await start('right');
  const batch = { v: 1, runId, events: eventsFrom(0, 1) } as const;
  expect(await ingestBatch(batch, { url: gate.graphql, token: 'right' })).toMatchObject({ accepted: 1 });
  const failure = await failureOf(ingestBatch(batch, { url: gate.graphql }));
  expect(failure).toMatchObject({ name: 'IngestFailed', code: 'UNAUTHENTICATED' });
});
