import { createOwnerQueues } from './owner-queues.ts';

/** Work cannot wait for room: too much is waiting already, it has waited too long, or its owner is gone. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

/** One piece of work that acquires increasing amounts of a shared resource until it is done. */
export interface Place {
  /**
   * Acquires this much more. Returns null if it is held now, or else a promise that resolves once it is.
   * Throws {@link NoRoom} if too much is waiting. The promise rejects with the same error if it waits too
   * long or the owner is gone.
   */
  take(amount: number): Promise<void> | null;
  /** Acquires this much more if that needs no waiting. Returns true if it is held now. */
  takeNow(amount: number): boolean;
  /** Releases this much. */
  give(amount: number): void;
  /** Releases everything. Pending acquisitions are rejected. */
  leave(): void;
}

/** Limits what all pieces of work hold together. */
export interface Room {
  /** Opens a place that holds nothing yet. Owners take turns when much is waiting. */
  enter(owner: object): Place;
}

/** The limits of a room. Amounts are in the caller's unit. */
export interface RoomOptions {
  /** The most that places with more than `few` hold together. */
  readonly most: number;
  /**
   * An owner that holds at most this much in total does not wait while everything together is at most
   * `mostOfFew`.
   */
  readonly few: number;
  readonly mostOfFew: number;
  /** The most acquisitions that wait, across all owners and per owner. */
  readonly maxWaiting: number;
  readonly maxWaitingPerOwner: number;
  /** How long an acquisition may wait, in milliseconds. */
  readonly waitMs: number;
  /** Returns true if the owner's work is no longer needed. */
  readonly isGone: (owner: object) => boolean;
}

interface Waiting {
  readonly holder: Holder;
  readonly amount: number;
  /** Decides whether it may be admitted before its turn. */
  readonly kind: 'few' | 'more' | 'first';
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: NoRoom) => void;
}

interface Holder {
  readonly owner: object;
  held: number;
  /** True if it was admitted as more than few. Everything it holds then counts against `most`. */
  isLarge: boolean;
  waits: number;
}

/** How often to look for acquisitions that have waited too long and for owners that are gone. */
const SWEEP_MS = 1_000;

/**
 * Creates an empty room. Work that already holds something can always continue: if there is no room, one
 * place at a time is admitted above `most` until it leaves. So no two places can deadlock.
 */
export function createRoom(options: RoomOptions): Room {
  const { most, few, mostOfFew, maxWaiting, maxWaitingPerOwner, waitMs, isGone } = options;
  const queues = createOwnerQueues<object, Waiting>();
  /** How many of each kind are waiting. */
  const waiting = { few: 0, more: 0, first: 0 };
  const heldByOwner = new WeakMap<object, number>();
  let heldByAll = 0;
  let heldByLarge = 0;
  /** The place that is admitted above `most`. */
  let exempt: Holder | null = null;
  let sweeping: NodeJS.Timeout | null = null;

  const fits = (amount: number) => heldByLarge + amount <= most;
  const fitsFew = (amount: number) => heldByAll + amount <= mostOfFew;

  function add(holder: Holder, amount: number): void {
    holder.held += amount;
    heldByAll += amount;
    if (holder.isLarge) heldByLarge += amount;
    heldByOwner.set(holder.owner, (heldByOwner.get(holder.owner) ?? 0) + amount);
  }

  function letIn(holder: Holder, amount: number, kind: Waiting['kind']): void {
    if (kind !== 'few' && !holder.isLarge) {
      holder.isLarge = true;
      heldByLarge += holder.held;
    }
    add(holder, amount);
  }

  function isAdmitted(holder: Holder, amount: number, kind: Waiting['kind']): boolean {
    if (exempt === holder || (kind === 'few' && fitsFew(amount))) return true;
    if (queues.size() === 0 && fits(amount)) return true;
    if (kind === 'more') exempt ??= holder;
    return exempt === holder;
  }

  function kindOf({ owner, held }: Holder, amount: number): Waiting['kind'] {
    if ((heldByOwner.get(owner) ?? 0) + amount <= few) return 'few';
    return held > 0 ? 'more' : 'first';
  }

  function remove(one: Waiting): void {
    queues.remove(one.holder.owner, one);
    waiting[one.kind] -= 1;
    one.holder.waits -= 1;
  }

  function next(): Waiting | undefined {
    if (waiting.more > 0 && !exempt) {
      const grows = queues.find(({ kind }) => kind === 'more');
      if (grows) exempt = grows.holder;
      return grows;
    }
    const few = waiting.few > 0 && queues.find(({ kind, amount }) => kind === 'few' && fitsFew(amount));
    if (few) return few;
    const first = queues.first()?.[1];
    return first && fits(first.amount) ? first : undefined;
  }

  function serve(): void {
    for (let one = next(); one; one = next()) {
      remove(one);
      if (isGone(one.holder.owner)) {
        if (exempt === one.holder) exempt = null;
        one.reject(new NoRoom('the work is no longer needed'));
        continue;
      }
      letIn(one.holder, one.amount, one.kind);
      one.resolve();
    }
  }

  function sweep(): void {
    sweeping = null;
    const oldest = performance.now() - waitMs;
    const isOver = ({ since, holder }: Waiting) => since <= oldest || isGone(holder.owner);
    for (let one = queues.find(isOver); one; one = queues.find(isOver)) {
      remove(one);
      one.reject(new NoRoom('the work has waited too long'));
    }
    serve();
    keepSweeping();
  }

  function keepSweeping(): void {
    if (!sweeping && queues.size() > 0) sweeping = setTimeout(sweep, Math.min(SWEEP_MS, waitMs)).unref();
  }

  function takeNow(holder: Holder, amount: number, kind: Waiting['kind']): boolean {
    if (!isAdmitted(holder, amount, kind)) return false;
    letIn(holder, amount, kind);
    return true;
  }

  function wait(holder: Holder, amount: number, kind: Waiting['kind']): Promise<void> {
    const { owner } = holder;
    const isFull = queues.sizeOf(owner) >= maxWaitingPerOwner || queues.size() >= maxWaiting;
    if (isFull) throw new NoRoom('too much work is waiting');
    return new Promise((resolve, reject) => {
      queues.push(owner, { holder, amount, kind, since: performance.now(), resolve, reject });
      waiting[kind] += 1;
      holder.waits += 1;
      keepSweeping();
    });
  }

  return {
    enter: (owner) => {
      const holder: Holder = { owner, held: 0, isLarge: false, waits: 0 };
      return {
        take: (amount) => {
          const kind = kindOf(holder, amount);
          return takeNow(holder, amount, kind) ? null : wait(holder, amount, kind);
        },
        takeNow: (amount) => takeNow(holder, amount, kindOf(holder, amount)),
        give: (amount) => {
          add(holder, -amount);
          serve();
        },
        leave: () => {
          while (holder.waits > 0) {
            const mine = queues.find((one) => one.holder === holder)!;
            remove(mine);
            mine.reject(new NoRoom('the work is no longer needed'));
          }
          add(holder, -holder.held);
          if (exempt === holder) exempt = null;
          serve();
        },
      };
    },
  };
}
