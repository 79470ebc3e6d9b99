import { createOwnerQueues } from './owner-queues.ts';

/** Work may not wait for room: too much waits already, it has waited too long, or its owner is gone. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

/** One piece of work that holds more and more of something that is shared, until it is done. */
export interface Place {
  /**
   * Takes so much more. Returns null when it is held now; otherwise a promise that resolves once it is. Throws
   * {@link NoRoom} when too much waits; so rejects a promise that waited too long or whose owner is gone.
   */
  take(amount: number): Promise<void> | null;
  /** Takes so much more where that needs no waiting; returns whether it is held now. */
  takeNow(amount: number): boolean;
  /** Gives so much back. */
  give(amount: number): void;
  /** Gives everything back. What still waits is rejected. */
  leave(): void;
}

/** What all pieces of work together may hold. */
export interface Room {
  /** Opens a place, which holds nothing. Owners take turns where much waits. */
  enter(owner: object): Place;
}

/** How much a room has. Amounts are in the caller's unit. */
export interface RoomOptions {
  /** What those hold together who hold more than `few`. */
  readonly most: number;
  /** An owner that holds at most so much in all does not wait while everybody together holds at most `mostOfFew`. */
  readonly few: number;
  readonly mostOfFew: number;
  /** The most takes that wait, over all owners and for one. */
  readonly maxWaiting: number;
  readonly maxWaitingPerOwner: number;
  /** For how many milliseconds one waits. */
  readonly waitMs: number;
  /** Whether nobody is left to do an owner's work for. */
  readonly isGone: (owner: object) => boolean;
}

interface Waiting {
  readonly holder: Holder;
  readonly amount: number;
  /** What lets it in before its turn. */
  readonly kind: 'few' | 'more' | 'first';
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: NoRoom) => void;
}

interface Holder {
  readonly owner: object;
  held: number;
  /** Whether it was let in as more than few: all that it holds counts against `most`. */
  isLarge: boolean;
  waits: number;
}

/** How often those who have waited too long, and those who are gone, are looked for. */
const SWEEP_MS = 1_000;

/**
 * Creates a room in which nothing is held. What holds a part and needs more can always go on: where there is no room,
 * one place at a time is let in above `most`, until it is left. So no two wait for each other.
 */
export function createRoom(options: RoomOptions): Room {
  const { most, few, mostOfFew, maxWaiting, maxWaitingPerOwner, waitMs, isGone } = options;
  const queues = createOwnerQueues<object, Waiting>();
  /** How many of each kind wait. */
  const waiting = { few: 0, more: 0, first: 0 };
  const heldByOwner = new WeakMap<object, number>();
  let heldByAll = 0;
  let heldByLarge = 0;
  /** The place that is let in above `most`. */
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
        one.reject(new NoRoom('nobody waits for it'));
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
      one.reject(new NoRoom('it has waited too long'));
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
    if (isFull) throw new NoRoom('too much waits');
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
            mine.reject(new NoRoom('nobody waits for it'));
          }
          add(holder, -holder.held);
          if (exempt === holder) exempt = null;
          serve();
        },
      };
    },
  };
}
