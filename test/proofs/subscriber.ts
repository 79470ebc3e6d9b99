import { setTimeout as sleep } from 'node:timers/promises';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { type Connection, Refused } from './connections.ts';

const RECONNECT_MS = 100;

/** Follows a run to its end through any number of connections. */
export interface Subscriber {
  readonly over: Connection['over'];
  /** The causes that cut its connections so far. After each it resumed from its cursor. */
  readonly cuts: readonly unknown[];
  /** Resolves when it receives the end of the run. Rejects if it was refused, or with the error of `take`. */
  readonly done: Promise<void>;
}

/**
 * Starts to follow from the start. It calls `graphql` for a server's URL before each connection and passes on
 * everything in the order of arrival. A connection is given up after `patience()` events, by default never.
 */
export function startSubscriber(
  graphql: () => string,
  runId: string,
  { over, connect }: Connection,
  take: (event: RunnerEvent) => void,
  patience: () => number = () => Number.POSITIVE_INFINITY,
): Subscriber {
  let stopped = false;
  releaseAfterwards(() => {
    stopped = true;
  });
  let cursor = -1;
  const cuts: unknown[] = [];

  /** Resolves to true if the end of the run arrived. */
  async function followOnce(): Promise<boolean> {
    let left = patience();
    const events = connect(graphql(), runId, cursor);
    for (;;) {
      const next = await events.next().catch((cut: unknown) => {
        if (cut instanceof Refused) throw cut;
        cuts.push(cut);
        return null;
      });
      if (!next) return false;
      if (next.done) return true;
      const { seq, tMs, kind, data } = next.value;
      cursor = seq;
      take({ seq, tMs, kind, data });
      left -= 1;
      if (stopped || left <= 0) {
        await events.return();
        return false;
      }
    }
  }

  async function follow(): Promise<void> {
    while (!stopped && !(await followOnce())) await sleep(Math.random() * RECONNECT_MS);
  }

  const done = follow();
  // The caller awaits this promise. Until then a failure must not end the process.
  done.catch(() => {});
  return { over, cuts, done };
}
