import { setTimeout as sleep } from 'node:timers/promises';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { type Connection, Refused } from './connections.ts';

const RECONNECT_MS = 100;

/** Follows a run to its end through any number of connections. */
export interface Subscriber {
  /** Everything that arrived, in the order in which it did. */
  readonly seen: readonly RunnerEvent[];
  readonly over: Connection['over'];
  /** What cut its connections so far, after each of which it came back by its cursor. */
  readonly cuts: readonly unknown[];
  /** Resolves when it was told of the run's end; rejects when it was refused. */
  readonly done: Promise<void>;
}

/** Starts to follow from the start. */
export function startSubscriber(graphql: string, runId: string, { over, connect }: Connection): Subscriber {
  let stopped = false;
  releaseAfterwards(() => {
    stopped = true;
  });
  const seen: RunnerEvent[] = [];
  const cuts: unknown[] = [];

  async function follow(): Promise<void> {
    while (!stopped) {
      try {
        const after = seen.at(-1)?.seq ?? -1;
        for await (const { seq, tMs, kind, data } of connect(graphql, runId, after)) {
          seen.push({ seq, tMs, kind, data });
          if (stopped) return;
        }
        return;
      } catch (error) {
        if (error instanceof Refused) throw error;
        cuts.push(error);
      }
      await sleep(Math.random() * RECONNECT_MS);
    }
  }

  const done = follow();
  // Whoever waits for it hears of it; until then a failure must not end the process.
  done.catch(() => {});
  return { over, seen, cuts, done };
}
