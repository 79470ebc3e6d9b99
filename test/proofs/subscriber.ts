import { setTimeout as sleep } from 'node:timers/promises';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { type Connection, Refused } from './connections.ts';

const RECONNECT_MS = 100;

/** Follows a run to its end through any number of connections. */
export interface Subscriber {
  readonly over: Connection['over'];
  /** What cut its connections so far, after each of which it came back by its cursor. */
  readonly cuts: readonly unknown[];
  /** Resolves when it was told of the run's end; rejects when it was refused, or with what `take` threw. */
  readonly done: Promise<void>;
}

/**
 * Starts to follow from the start; asks for a server's `/graphql` before each connection, and hands over everything
 * that arrives, in the order in which it does. A connection is given up after `patience()` events, by default never.
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

  /** Whether the run's end came. */
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
  // Whoever waits for it hears of it; until then a failure must not end the process.
  done.catch(() => {});
  return { over, cuts, done };
}
