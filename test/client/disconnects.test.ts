import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createReporter } from '../../src/client/report/reporter.ts';
import { streamEvents } from '../../src/client/stream/events.ts';
import type { StreamedEvent } from '../../src/client/stream/feed.ts';
import type { StreamTransport } from '../../src/client/stream/transport-choice.ts';
import { startRestartableServer } from '../proofs/restartable-server.ts';
import { atSize, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually, newRun } from '../support/runs.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { readLog } from './logs.ts';

/** The total number of forced disconnects, over all streams of one run. */
const DISCONNECTS = atSize(1_000);
const RESTARTS = atSize(2);
const STREAMS = Array.from({ length: 5 }, () => ['websocket', 'sse', 'auto'] as const).flat();
const QUICKLY = { firstMs: 4, longestMs: 100 };
const LONGEST_LIFE_MS = 10;
/** The stock client rereads the whole run after each cut, so it leaves after this many rounds. */
const CONTROL_CUTS = 20;

/** Follows a run and counts the cuts of open connections. */
function follow(url: string, runId: string, transport: StreamTransport) {
  const seen: StreamedEvent[] = [];
  let cuts = 0;
  let connected = false;
  const events = streamEvents(runId, {
    url,
    transport,
    webSocketImpl: WebSocket,
    backoff: QUICKLY,
    onState: (state) => {
      if (state === 'reconnecting' && connected) cuts += 1;
      connected = state !== 'reconnecting';
    },
  });
  const done = (async () => {
    for await (const event of events) seen.push(event);
  })();
  done.catch(() => {});
  releaseAfterwards(() => events.return());
  return { events, seen, cuts: () => cuts, done };
}

/** Follows a run with graphql-ws' client, which reconnects with the variables of the first connection. */
function followByStockClient(url: string, runId: string) {
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => sleep(2),
    shouldRetry: () => true,
  });
  releaseAfterwards(() => client.dispose());
  const query = `subscription ($runId: ID!) { runEvents(runId: $runId) { seq } }`;
  const seen: number[] = [];
  client.subscribe<{ runEvents: { seq: number } }>(
    { query, variables: { runId } },
    { next: ({ data }) => void (data && seen.push(data.runEvents.seq)), error: () => {}, complete: () => {} },
  );
  return { seen, leave: () => client.dispose() };
}

test(
  `${DISCONNECTS} forced disconnects and ${RESTARTS} kills of the server: each stream yields every event once, in order, and ends`,
  async () => {
    const server = await startRestartableServer(await freshSqliteUrl());
    const runId = await newRun(server.graphql);
    const proxy = await startTcpProxy(server.graphql);
    const reporter = createReporter({ runId, url: proxy.url, flushMs: 2, backoff: QUICKLY });
    releaseAfterwards(() => reporter.close({ deadlineMs: 0 }));
    const streams = STREAMS.map((transport) => follow(proxy.url, runId, transport));
    const control = followByStockClient(proxy.url, runId);

    let reported = 0;
    let enough = false;
    const reporting = (async () => {
      for (; !enough; reported += 1) {
        await reporter.report({ kind: 'assistant_text', data: { text: String(reported) } });
        await sleep(1);
      }
      await reporter.report({ kind: 'runtime_terminal', data: { text: String(reported) } });
    })();

    const total = (): number => streams.reduce((sum, { cuts }) => sum + cuts(), 0);
    let rounds = 0;
    let kills = 0;
    for (; total() < DISCONNECTS; rounds += 1) {
      const before = streams.map(({ seen }) => seen.length);
      await eventually(() => streams.every(({ seen }, index) => seen.length > before[index]!));
      if (rounds === CONTROL_CUTS) {
        expect(control.seen.length).toBeGreaterThan(new Set(control.seen).size);
        await control.leave();
      }
      await sleep(Math.random() * LONGEST_LIFE_MS);
      if (kills < RESTARTS && total() > ((kills + 1) * DISCONNECTS) / (RESTARTS + 1)) {
        kills += 1;
        await server.kill();
        await server.start();
      } else proxy.cut();
    }
    enough = true;
    await reporting;
    expect(await reporter.close()).toMatchObject({ undelivered: null, failure: null });
    await Promise.all(streams.map(({ done }) => done));

    expect(rounds).toBeGreaterThan(CONTROL_CUTS);
    expect(kills).toBe(RESTARTS);
    const log = await readLog(server.graphql, runId);
    expect(log.map(({ data }) => data.text)).toEqual(
      Array.from({ length: reported + 1 }, (_, index) => String(index)),
    );
    for (const { seen, events } of streams) {
      expect(seen.map(({ seq }) => seq)).toEqual(log.map(({ seq }) => seq));
      expect(seen.map(({ seq, tMs, kind, data }) => ({ seq, tMs, kind, data }))).toEqual(log);
      expect(events.state()).toBe('ended');
    }
    if (process.env.RUNFEED_PROOF_SIZE !== undefined) {
      console.info(
        `${total()} disconnects of ${STREAMS.length} streams in ${rounds} rounds, ${kills} kills: ${log.length} events; ` +
          `the stock client had ${control.seen.length} for ${new Set(control.seen).size} in its first ${CONTROL_CUTS} rounds`,
      );
    }
  },
  2 * PROOF_TIMEOUT_MS,
);
