import { setImmediate as nextTurn } from 'node:timers/promises';
import { createOwnerQueues } from './owner-queues.ts';

/** Shares the event loop among pieces of work whose cost is known only when they are done, such as reads. */
export interface Lanes {
  /**
   * Runs the work in a later event-loop turn and returns its result. `costOf` returns its cost, in the
   * caller's unit. Owners take turns, so an owner with much work delays only itself.
   */
  run<Value>(owner: object, work: () => Promise<Value>, costOf: (value: Value) => number): Promise<Value>;
}

/** How much work runs at once. */
export interface LanesOptions {
  /**
   * Pieces of work that run concurrently. Use 1 for synchronous work: two pieces would only run back to back
   * in one turn.
   */
  readonly lanes: number;
  /** The cost after which no more work starts in the same event-loop turn. */
  readonly costPerTurn: number;
}

/** Creates idle lanes. The callers bound how much waits. */
export function createLanes({ lanes, costPerTurn }: LanesOptions): Lanes {
  const waiting = createOwnerQueues<object, () => Promise<void>>();
  let running = 0;
  let spent = 0;

  async function runAll(): Promise<void> {
    running += 1;
    await nextTurn();
    for (let work = waiting.shift(); work; work = waiting.shift()) {
      await work();
      if (spent < costPerTurn) continue;
      await nextTurn();
      spent = 0;
    }
    running -= 1;
  }

  return {
    run: (owner, work, costOf) =>
      new Promise((resolve, reject) => {
        waiting.push(owner, async () => {
          try {
            const value = await work();
            spent += costOf(value);
            resolve(value);
          } catch (error) {
            reject(error);
          }
        });
        if (running < lanes) void runAll();
      }),
  };
}
