import { randomUUID } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { openEventStream } from '../support/event-stream.ts';
import { eventsFrom, eventually, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const EVENTS = 'subscription ($runId: ID!) { runEvents(runId: $runId) { seq kind data } }';

describe('event streams of a feed', () => {
  test('send exactly the same texts as a websocket', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const texts = ['€😀', 'a\u0000\ud800', 'line\nline\r\n\n', 'x'.repeat(100_000), randomUUID()];
    const events = texts.map((text, seq) => ({ seq, tMs: seq, kind: 'assistant_text', data: { text } }));
    await ingest(graphql, runId, events);
    await ingest(graphql, runId, [terminalAt(texts.length)]);
    const stream = await openEventStream(graphql, EVENTS, { runId });
    const streamed = await stream.rest();
    expect(stream.text().startsWith(':\n\nevent: next\ndata: {')).toBe(true);
    expect(stream.text().endsWith('event: complete\ndata:\n\n')).toBe(true);
    const client = await openWebsocket(graphql);
    client.subscribe('1', EVENTS, { runId });
    for (const { event, data } of streamed) {
      const { type, payload } = await client.next();
      expect(type).toBe(event);
      if (type === 'next') expect(JSON.parse(data)).toEqual(payload);
    }
  });

  test('that stall delay only themselves, and continue where they were', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const data = { text: 'x'.repeat(100_000) };
    for (let from = 0; from < 200; from += 20) {
      await ingest(
        graphql,
        runId,
        eventsFrom(from, 20).map((event) => ({ ...event, data })),
      );
    }
    await ingest(graphql, runId, [terminalAt(200)]);
    const sent = request(graphql, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    });
    sent.end(JSON.stringify({ query: EVENTS, variables: { runId } }));
    const stalled = await new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
    const lively = await (await openEventStream(graphql, EVENTS, { runId })).rest();
    expect(lively).toHaveLength(202);
    let text = '';
    for await (const chunk of stalled.setEncoding('utf8')) text += chunk;
    expect(text.match(/^event: next$/gm)).toHaveLength(201);
    expect(text.endsWith('event: complete\ndata:\n\n')).toBe(true);
  });

  test('whose clients disconnect at any moment leave nothing behind', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    await fill(graphql, runId, 0, 2_000);
    await Promise.all(
      Array.from({ length: 60 }, async (_, turns) => {
        const sent = request(graphql, {
          method: 'POST',
          agent: false,
          headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        });
        sent.on('error', () => {});
        sent.on('response', (response) => response.on('error', () => {}).resume());
        sent.end(JSON.stringify({ query: EVENTS, variables: { runId } }));
        for (let turn = 0; turn < turns * 4; turn += 1) await new Promise(setImmediate);
        sent.destroy();
      }),
    );
    await eventually(() => feed.watchedRuns() === 0);
    const stream = await openEventStream(graphql, EVENTS, { runId });
    expect((await stream.next())?.event).toBe('next');
  });
});
