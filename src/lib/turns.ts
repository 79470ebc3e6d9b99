/** Too much work waits for a turn already. */
export class TurnsExhausted extends Error {
  override readonly name = 'TurnsExhausted';
}

/** Shares the event loop among pieces of synchronous work whose cost is known before they run. */
export interface Turns {
  /**
   * Returns null when the work may run now: this turn of the loop has enough left for it. Otherwise returns a promise
   * that resolves in a later turn, when the work may run. Owners take turns, so an owner with much to do delays only
   * itself. Throws {@link TurnsExhausted} when too much waits already.
   */
  take(owner: object, cost: number): Promise<void> | null;
}

/** How much the turns hand out. */
export interface TurnsOptions {
  /** The cost that fits into one turn of the loop, in the caller's unit. Work that costs more gets a turn of its own. */
  readonly costPerTurn: number;
  /** The most pieces of work that wait at once, over all owners. */
  readonly maxWaiting: number;
}

interface Waiting {
  readonly cost: number;
  readonly resolve: () => void;
}

/** Creates turns of the loop, with nothing waiting. */
export function createTurns({ costPerTurn, maxWaiting }: TurnsOptions): Turns {
  // A Map keeps its keys in order of insertion: the first owner is served and, if it has more, moved to the end.
  const queues = new Map<object, Waiting[]>();
  let waiting = 0;
  let spent = 0;
  let scheduled = false;

  const fits = (cost: number) => spent === 0 || spent + cost <= costPerTurn;

  function beginTurn(): void {
    spent = 0;
    scheduled = false;
    for (const [owner, queue] of queues) {
      const [next] = queue;
      if (!next || !fits(next.cost)) break;
      queue.shift();
      queues.delete(owner);
      if (queue.length > 0) queues.set(owner, queue);
      waiting -= 1;
      spend(next.cost);
      next.resolve();
    }
    if (waiting > 0) schedule();
  }

  function spend(cost: number): void {
    spent += cost;
    schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(beginTurn);
  }

  return {
    take: (owner, cost) => {
      if (waiting === 0 && fits(cost)) {
        spend(cost);
        return null;
      }
      if (waiting >= maxWaiting) throw new TurnsExhausted('too much work waits for the event loop');
      waiting += 1;
      return new Promise((resolve) => {
        const queue = queues.get(owner);
        if (queue) queue.push({ cost, resolve });
        else queues.set(owner, [{ cost, resolve }]);
        schedule();
      });
    },
  };
}
