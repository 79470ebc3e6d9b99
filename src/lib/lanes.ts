import { setImmediate as nextTurn } from 'node:timers/promises';
import { createOwnerQueues } from './owner-queues.ts';

/** Shares the event loop among pieces of work whose cost is known only once they are done, such as reads. */
export interface Lanes {
  /**
   * Runs the work in a later turn of the loop and answers what it does. `costOf` says what it cost, in the caller's unit.
   * Owners take turns, so an owner with much to do delays only itself.
   */
  run<Value>(owner: object, work: () => Promise<Value>, costOf: (value: Value) => number): Promise<Value>;
}

/** How much runs at once. */
export interface LanesOptions {
  /** Pieces of work that run at once. 1 where work is done in the call: two would be one after the other in one turn. */
  readonly lanes: number;
  /** No more is begun in a turn of the loop in which work of this cost was done. */
  readonly costPerTurn: number;
}

/** Creates lanes in which nothing runs. What waits is bounded by those who wait. */
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
