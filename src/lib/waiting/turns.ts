import { createOwnerQueues } from './owner-queues.ts';
import { isResting, onNextTurn } from './pace.ts';

/** Work cannot wait for a turn: too much is waiting already, or its owner is gone. */
export class TurnsExhausted extends Error {
  override readonly name = 'TurnsExhausted';
}

/** Shares the event loop among pieces of synchronous work whose cost is known before they run. */
export interface Turns {
  /**
   * Returns null if the work may run now, because this event-loop turn has enough left for it. Otherwise
   * returns a promise that resolves in a later turn, when the work may run. Owners take turns, so an owner
   * with much work delays only itself. Throws {@link TurnsExhausted} if too much is waiting and the owner
   * already has work in the queue. With a bound per owner, the newest work of the owner with the most is
   * dropped when the total bound is exceeded: its promise rejects. The promises of an owner that is gone
   * reject, too. Without these two options a promise never rejects.
   */
  take(owner: object, cost: number): Promise<void> | null;
  /** Adds cost to this turn, for work that turned out to cost more. Less further work fits into the turn. */
  spend(cost: number): void;
}

/** The limits of turns. */
export interface TurnsOptions {
  /**
   * The cost that fits into one event-loop turn, in the caller's unit. Work that costs more gets a turn to
   * itself.
   */
  readonly costPerTurn: number;
  /**
   * The most pieces of work that wait, across all owners. Each owner may have one more, so the number of
   * owners needs a bound.
   */
  readonly maxWaiting: number;
  /** The most pieces of work that wait per owner. Unlimited by default. */
  readonly maxWaitingPerOwner?: number;
  /** Returns true if the owner's work is no longer needed. Defaults to never. */
  readonly isGone?: (owner: object) => boolean;
}

interface Waiting {
  readonly cost: number;
  readonly resolve: () => void;
  readonly reject: (error: TurnsExhausted) => void;
}

/** More than can be in progress at once. */
const MAX_SLICED = 10_000;

/**
 * Creates pauses for work that runs in slices: across all such work, one slice runs per event-loop turn. Each
 * call of the result returns the pause function of one piece of work, to be awaited between its slices.
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

/** Creates event-loop turns with nothing waiting. */
export function createTurns(options: TurnsOptions): Turns {
  const { costPerTurn, maxWaiting, maxWaitingPerOwner, isGone = () => false } = options;
  const waiting = createOwnerQueues<object, Waiting>();
  let spent = 0;
  let scheduled = false;

  const fits = (cost: number) => spent === 0 || spent + cost <= costPerTurn;
  const exhausted = () => new TurnsExhausted('too much work is waiting for the event loop');

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
      spent += cost;
      resolve();
    }
    if (waiting.size() > 0 || spent > 0) schedule();
  }

  /** Makes room by dropping the newest work of the owner with the most. Returns false if that is `owner`. */
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
    onNextTurn(beginTurn);
  }

  return {
    spend,
    take: (owner, cost) => {
      if (waiting.size() === 0 && fits(cost) && !isResting()) {
        spend(cost);
        return null;
      }
      const own = waiting.sizeOf(owner);
      const isFull = waiting.size() >= maxWaiting;
      if (own >= (maxWaitingPerOwner ?? maxWaiting) || (isFull && own > 0 && !makeRoom(owner)))
        throw exhausted();
      // An owner with nothing waiting is always admitted, so that others cannot fill the queue and shut it
      // out.
      if (isFull && own === 0) makeRoom(owner);
      return new Promise((resolve, reject) => {
        waiting.push(owner, { cost, resolve, reject });
        schedule();
      });
    },
  };
}
