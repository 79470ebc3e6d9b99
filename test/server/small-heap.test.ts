import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { postHead } from '../support/raw-http.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { INGEST, post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { newRun } from '../support/runs.ts';

const MiB = 1024 * 1024;

test('a server with a heap of 128 MB refuses what it has no room for, and serves on', async () => {
  const server = await startServe({ NODE_OPTIONS: '--max-old-space-size=128' });
  const { hostname, port } = new URL(server.url);
  // Together 128 MiB that do not end.
  const unfinished = Buffer.alloc(8 * MiB, ' ');
  for (let sockets = 0; sockets < 16; sockets += 1) {
    const socket = connect(Number(port), hostname);
    releaseAfterwards(() => void socket.destroy());
    socket.on('error', () => {});
    socket.resume();
    socket.write(postHead(server.url, unfinished.length + 1));
    socket.write(unfinished);
  }
  const runId = await newRun(server.graphql);
  const text = '€'.repeat(MiB);
  const b = { v: 1, runId, events: [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text } }] };
  const posted = await Promise.all(
    Array.from({ length: 8 }, () => post(server.graphql, INGEST, { b }).then(({ status }) => status)),
  );
  for (const status of posted) expect([200, 503]).toContain(status);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);
