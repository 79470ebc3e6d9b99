import { createOwnerQueues } from './owner-queues.ts';

/** Work may not wait for a turn: too much waits already, or its owner is gone. */
export class TurnsExhausted extends Error {
  override readonly name = 'TurnsExhausted';
}

/** Shares the event loop among pieces of synchronous work whose cost is known before they run. */
export interface Turns {
  /**
   * Returns null when the work may run now: this turn of the loop has enough left for it. Otherwise returns a promise
   * that resolves in a later turn, when the work may run. Owners take turns, so an owner with much to do delays only
   * itself. Throws {@link TurnsExhausted} when too much waits and something of the owner's does. With a bound per owner,
   * what exceeds the bound over all owners is the newest work of the owner that has most: its promise rejects. So does
   * that of an owner that is gone. Without these two options a promise never rejects.
   */
  take(owner: object, cost: number): Promise<void> | null;
  /** Counts work of this turn that turned out to cost more: what else fits into the turn is less. */
  spend(cost: number): void;
}

/** How much the turns hand out. */
export interface TurnsOptions {
  /** The cost that fits into one turn of the loop, in the caller's unit. Work that costs more gets a turn of its own. */
  readonly costPerTurn: number;
  /** The most pieces of work that wait at once, over all owners. Each owner may have one more, so owners need a bound. */
  readonly maxWaiting: number;
  /** The most that wait for one owner. By default there is no such bound. */
  readonly maxWaitingPerOwner?: number;
  /** Whether nobody is left to do an owner's work for. By default never. */
  readonly isGone?: (owner: object) => boolean;
}

interface Waiting {
  readonly cost: number;
  readonly resolve: () => void;
  readonly reject: (error: TurnsExhausted) => void;
}

/** More than can be under way at once. */
const MAX_SLICED = 10_000;

/**
 * Creates pauses for work that is done in slices: over all such work, one slice runs in each turn of the loop. Each call of the
 * result gives the pause of one piece of work, to be awaited between its slices.
 */
export function createPauses(): () => () => Promise<void> {
  const turns = createTurns({ costPerTurn: 1, maxWaiting: MAX_SLICED });
  return () => {
    const owner = {};
    return async () => {
      await turns.take(owner, 1);
    };
  };
}

/** Creates turns of the loop, with nothing waiting. */
export function createTurns(options: TurnsOptions): Turns {
  const { costPerTurn, maxWaiting, maxWaitingPerOwner, isGone = () => false } = options;
  const waiting = createOwnerQueues<object, Waiting>();
  let spent = 0;
  let scheduled = false;

  const fits = (cost: number) => spent === 0 || spent + cost <= costPerTurn;
  const exhausted = () => new TurnsExhausted('too much work waits for the event loop');

  function beginTurn(): void {
    spent = 0;
    scheduled = false;
    for (let first = waiting.first(); first; first = waiting.first()) {
      const [owner, { cost, resolve }] = first;
      if (isGone(owner)) {
        for (const { reject } of waiting.drop(owner)) reject(exhausted());
        continue;
      }
      if (!fits(cost)) break;
      waiting.shift();
      spend(cost);
      resolve();
    }
    if (waiting.size() > 0) schedule();
  }

  /** Makes room by the newest work of the owner that has most; false when that is `owner`. */
  function makeRoom(owner: object): boolean {
    // Only callers that set a bound per owner expect a promise to reject.
    if (maxWaitingPerOwner === undefined) return false;
    const longest = waiting.longest();
    if (!longest || longest === owner) return false;
    waiting.pop(longest)?.reject(exhausted());
    return true;
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
    spend,
    take: (owner, cost) => {
      if (waiting.size() === 0 && fits(cost)) {
        spend(cost);
        return null;
      }
      const own = waiting.sizeOf(owner);
      const isFull = waiting.size() >= maxWaiting;
      if (own >= (maxWaitingPerOwner ?? maxWaiting) || (isFull && own > 0 && !makeRoom(owner)))
        throw exhausted();
      // An owner with nothing waiting is always let in, so that no others can fill the queue and shut it out.
      if (isFull && own === 0) makeRoom(owner);
      return new Promise((resolve, reject) => {
        waiting.push(owner, { cost, resolve, reject });
        schedule();
      });
    },
  };
}
