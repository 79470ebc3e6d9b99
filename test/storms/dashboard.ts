import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { releaseAfterwards } from '../support/releases.ts';

const BATCHES = `subscription ($runId: ID!, $after: SafeInt) {
  runEventBatches(runId: $runId, after: $after) { events { seq } cursor ended }
}`;

interface Batch {
  readonly events: readonly { readonly seq: number }[];
  readonly cursor: number;
  readonly ended: boolean;
}

/** Follows a run whose numbers have no gaps. Keeps little of what it receives, because many run at once. */
export interface Dashboard {
  /** Returns the number of the last event seen. */
  cursor(): number;
  /** The close codes of its connections so far. After each it resumed from its cursor. */
  readonly closes: readonly number[];
  /**
   * Resolves at the end of the run. Rejects if an event is missing or duplicated, or the operation is
   * refused.
   */
  readonly done: Promise<void>;
}

/** Starts to follow after this number. Waits up to `jitterMs` milliseconds before each connection. */
export function startDashboard(
  graphql: string,
  runId: string,
  after: number,
  jitterMs: () => number,
): Dashboard {
  let cursor = after;
  let stopped = false;
  let leave = () => {};
  releaseAfterwards(() => {
    stopped = true;
    leave();
  });
  const closes: number[] = [];

  /** Resolves to true if the end of the run arrived. */
  function follow(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(graphql.replace('http', 'ws'), 'graphql-transport-ws');
      leave = () => socket.terminate();
      const fail = (problem: string) => {
        reject(new Error(`${runId}: ${problem}`));
        socket.terminate();
      };
      socket.on('open', () => socket.send('{"type":"connection_init"}'));
      // The server is not available yet. A close follows.
      socket.on('error', () => {});
      socket.on('close', (code) => {
        closes.push(code);
        resolve(false);
      });
      let ended = false;
      socket.on('message', (data) => {
        const { type, payload } = JSON.parse(String(data));
        if (type === 'connection_ack') {
          const asked = { query: BATCHES, variables: { runId, after: cursor } };
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: asked }));
        }
        if (type === 'error') fail(JSON.stringify(payload));
        if (type === 'complete') {
          if (!ended) fail('received complete before the end of the run');
          socket.removeAllListeners('close');
          socket.terminate();
          resolve(true);
        }
        if (type !== 'next') return;
        const batch: Batch = payload.data.runEventBatches;
        for (const { seq } of batch.events) {
          if (seq !== cursor + 1) return fail(`${seq} after ${cursor}`);
          cursor = seq;
        }
        ended = batch.ended;
      });
    });
  }

  async function comeBack(): Promise<void> {
    do await sleep(jitterMs());
    while (!stopped && !(await follow()));
  }

  const done = comeBack();
  // The caller awaits this promise. Until then a failure must not end the process.
  done.catch(() => {});
  return { cursor: () => cursor, closes, done };
}
