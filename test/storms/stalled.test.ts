import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atSize, PROOF_SIZE, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { openWebsocket, type WebsocketClient } from '../support/websocket-client.ts';
import { startDashboard } from './dashboard.ts';
import { startWatchedServer } from './watched-server.ts';

const SOCKETS = Math.min(1_000, atSize(200));
const RUN_BYTES = Math.min(100, Math.max(20, atSize(20))) * 1024 * 1024;
const FULL = PROOF_SIZE >= 10;
const HEALTHY = 10;
const LIVE = 100;
/**
 * A consumer is slow if it accepts nothing for 30 s, which is checked every 5 s. It then has 30 s for the
 * close frame.
 */
const FOUND_SLOW_MS = 38_000;

const EVENT_BYTES = 20 * 1024;
const EVENTS = Math.floor(RUN_BYTES / EVENT_BYTES);
/** A ws socket with its protocol, its watch and the waiting portion. A queue would hold the run. */
const BYTES_PER_SOCKET = 192 * 1024;
/** Other memory of the server: pages, shared payloads, the ring, and memory that V8 does not release. */
const SHARED_BYTES = 64 * 1024 * 1024;

const FOLLOW = `subscription ($runId: ID!, $after: SafeInt) {
  runEvents(runId: $runId, after: $after) { seq data }
}`;

const event = (seq: number) => ({
  seq,
  tMs: seq,
  kind: 'assistant_text',
  data: { text: 'x'.repeat(EVENT_BYTES) },
});

async function fillBytes(graphql: string, runId: string): Promise<void> {
  for (let seq = 0; seq < EVENTS; seq += 100) {
    const count = Math.min(100, EVENTS - seq);
    await ingest(
      graphql,
      runId,
      Array.from({ length: count }, (_, index) => event(seq + index)),
    );
  }
}

/** Subscribes, reads the first event and nothing more. */
async function stall(graphql: string, runId: string): Promise<WebsocketClient> {
  const client = await openWebsocket(graphql);
  client.subscribe('1', FOLLOW, { runId });
  await client.next();
  client.socket.pause();
  return client;
}

/**
 * Appends events one by one. Returns how many milliseconds each took to reach all readers, the slowest last.
 */
async function appendLive(
  graphql: string,
  runId: string,
  from: number,
  healthy: readonly { cursor(): number }[],
): Promise<number[]> {
  const took: number[] = [];
  for (let seq = from; seq < from + LIVE; seq += 1) {
    const since = performance.now();
    await ingest(graphql, runId, [event(seq)]);
    while (healthy.some(({ cursor }) => cursor() < seq)) await sleep(1);
    took.push(performance.now() - since);
  }
  return took.sort((one, other) => one - other);
}

/**
 * Returns the bytes that the kernel buffers for all TCP sockets of this machine, if it reports them. They
 * belong to no process's memory.
 */
function kernelBytes(): number {
  const path = '/proc/net/sockstat';
  const pages = existsSync(path) ? /^TCP:.* mem (\d+)/m.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
  return Number(pages ?? 0) * 4096;
}

const p99 = (sorted: readonly number[]) => sorted[Math.floor(sorted.length * 0.99)]!.toFixed(1);
const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

test(
  'sockets that stop reading cost the server little and do not slow down the others',
  async () => {
    const { graphql, memory } = await startWatchedServer(await freshSqliteUrl());
    const runId = await newRun(graphql);
    await fillBytes(graphql, runId);
    const healthy = Array.from({ length: HEALTHY }, () => startDashboard(graphql, runId, -1, () => 0));
    await eventually(() => healthy.every(({ cursor }) => cursor() === EVENTS - 1), PROOF_TIMEOUT_MS / 2);
    const quick = await appendLive(graphql, runId, EVENTS, healthy);
    const before = await memory();
    const kernelBefore = kernelBytes();

    const stalled: WebsocketClient[] = [];
    for (let socket = 0; socket < SOCKETS; socket += 1) stalled.push(await stall(graphql, runId));
    const beside = await appendLive(graphql, runId, EVENTS + LIVE, healthy);
    const after = await memory();
    if (process.env.RUNFEED_PROOF_SIZE !== undefined) {
      const { rss, heapUsed, external } = after;
      console.info(
        `${SOCKETS} stalled sockets on ${mebibytes(RUN_BYTES)}: the server grew by ${mebibytes(rss - before.rss)} ` +
          `(heap ${mebibytes(heapUsed - before.heapUsed)}, buffers ${mebibytes(external - before.external)}), the kernel's ` +
          `socket buffers by ${mebibytes(kernelBytes() - kernelBefore)}; ` +
          `the slowest of ${HEALTHY} healthy ones: p99 ${p99(quick)} ms before, ${p99(beside)} ms alongside them`,
      );
    }
    // A queue per socket would hold what the kernel did not buffer: most of the run, times the number of
    // sockets.
    expect(after.rss - before.rss).toBeLessThan(SHARED_BYTES + SOCKETS * BYTES_PER_SOCKET);

    if (FULL) {
      await sleep(FOUND_SLOW_MS);
      // The kernel still buffers gigabytes for them. They are read but not kept.
      for (const { socket } of stalled) socket.removeAllListeners('message').resume();
      const codes = (await Promise.all(stalled.map(({ closed }) => closed(60_000)))).map(({ code }) => code);
      // A socket that does not reach the close frame in time is cut instead.
      expect(codes.filter((code) => code !== 4413 && code !== 1006)).toEqual([]);
      expect(codes).toContain(4413);
      console.info(`${codes.filter((code) => code === 4413).length} of them were closed with 4413`);
    } else {
      for (const { socket } of stalled) socket.terminate();
    }
    const last = EVENTS + 2 * LIVE;
    await ingest(graphql, runId, [terminalAt(last)]);
    const back = startDashboard(graphql, runId, 0, () => 0);
    await Promise.all([...healthy, back].map(({ done }) => done));
    expect([...healthy, back].map(({ cursor }) => cursor())).toEqual(Array(HEALTHY + 1).fill(last));
  },
  3 * PROOF_TIMEOUT_MS,
);
