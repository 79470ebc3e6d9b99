import { createOwnerQueues } from './owner-queues.ts';

/** Work cannot wait for room: too much is waiting already, it has waited too long, or its owner is gone. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

/**
 * One piece of work that acquires increasing amounts of a shared resource until it is done. It waits for one
 * acquisition at a time.
 */
export interface Place {
  /**
   * Acquires this much more. Returns null if it is held now, or else a promise that resolves once it is.
   * Throws {@link NoRoom} if too much is waiting. The promise rejects with the same error if it waits too
   * long, the owner is gone, or others need its place in the queue.
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

/** A part of the room for owners of a certain size, so that large ones leave room for small ones. */
export interface Share {
  /** The most that an owner may hold in total, with this acquisition, to be admitted here. */
  readonly perOwner: number;
  /** The most that all places in this share hold together. */
  readonly together: number;
}

/** The limits of a room. Amounts are in the caller's unit. */
export interface RoomOptions {
  /** The shares for owners that hold little, smallest first. */
  readonly shares: readonly Share[];
  /** The most that all other places hold together. An owner that holds little may be among them. */
  readonly most: number;
  /**
   * The most acquisitions that wait, across all owners and per owner. Each owner may have one more, so the
   * number of owners needs a bound.
   */
  readonly maxWaiting: number;
  readonly maxWaitingPerOwner: number;
  /** How long an acquisition may wait, in milliseconds. */
  readonly waitMs: number;
  /** Returns true if the owner's work is no longer needed. */
  readonly isGone: (owner: object) => boolean;
}

/** What all places of an owner hold together. */
interface Client {
  held: number;
}

interface Holder {
  readonly owner: object;
  readonly client: Client;
  held: number;
  /** The share that everything it holds counts against. */
  share: number;
  waits: number;
}

interface Waiting {
  readonly holder: Holder;
  readonly amount: number;
  /** What the place held when it began to wait, and the share in which it holds that. */
  readonly kept: number;
  readonly keptIn: number;
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: NoRoom) => void;
}

/** How often to look for acquisitions that have waited too long and for owners that are gone. */
const SWEEP_MS = 1_000;

/**
 * Creates an empty room. Work that already holds something can always continue: if there is no room, one
 * place at a time is admitted above all limits until it leaves. So no two places can deadlock.
 */
export function createRoom(options: RoomOptions): Room {
  const { most, maxWaiting, maxWaitingPerOwner, waitMs, isGone } = options;
  const shares: readonly Share[] = [
    ...options.shares,
    { perOwner: Number.POSITIVE_INFINITY, together: most },
  ];
  const last = shares.length - 1;
  const queues = createOwnerQueues<object, Waiting>();
  const clients = new WeakMap<object, Client>();
  const heldIn = shares.map(() => 0);
  /** How many acquisitions wait whose amount alone would be admitted to each share. */
  const waitingFor = shares.map(() => 0);
  /** How many acquisitions wait whose place already holds something. */
  let growing = 0;
  /** What the places in the smallest share hold while they wait for a larger one. */
  let keptInFirst = 0;
  /** The place that is admitted above all limits. */
  let exempt: Holder | null = null;
  let sweeping: NodeJS.Timeout | null = null;

  function clientOf(owner: object): Client {
    const known = clients.get(owner);
    if (known) return known;
    const client = { held: 0 };
    clients.set(owner, client);
    return client;
  }

  function add(holder: Holder, amount: number): void {
    holder.held += amount;
    holder.client.held += amount;
    heldIn[holder.share]! += amount;
  }

  function letIn(holder: Holder, amount: number, share: number): void {
    heldIn[holder.share]! -= holder.held;
    heldIn[share]! += holder.held;
    holder.share = share;
    add(holder, amount);
  }

  /** Returns true if the share is for owners of this size, whether or not it has room. */
  function isFor(share: number, { client }: Holder, amount: number): boolean {
    return client.held + amount <= shares[share]!.perOwner;
  }

  function fits(share: number, holder: Holder, amount: number): boolean {
    const moved = holder.share === share ? 0 : holder.held;
    return heldIn[share]! + moved + amount <= shares[share]!.together;
  }

  /** Returns the acquisition whose turn it is in this share. */
  function firstFor(share: number): Waiting | undefined {
    if (share === last) return queues.first()?.[1];
    if (waitingFor[share] === 0) return undefined;
    return queues.find(({ holder, amount }) => isFor(share, holder, amount));
  }

  /** Returns the smallest share that admits this now. Work that waits comes first, unless `mayPass`. */
  function shareNow(holder: Holder, amount: number, mayPass: boolean): number | undefined {
    if (exempt === holder) return last;
    const admits = (share: number) =>
      isFor(share, holder, amount) && fits(share, holder, amount) && (mayPass || !firstFor(share));
    const share = shares.findIndex((_, index) => admits(index));
    if (share >= 0) return share;
    if (holder.held > 0) exempt ??= holder;
    return exempt === holder ? last : undefined;
  }

  function count(one: Waiting, by: 1 | -1): void {
    for (const [index, { perOwner }] of shares.entries())
      if (one.amount <= perOwner) waitingFor[index]! += by;
    one.holder.waits += by;
    if (one.kept > 0) growing += by;
    if (one.keptIn === 0) keptInFirst += by * one.kept;
  }

  function remove(one: Waiting): void {
    queues.remove(one.holder.owner, one);
    count(one, -1);
  }

  /** Returns the next acquisition that may be admitted, and its share. */
  function next(): readonly [Waiting, number] | undefined {
    if (growing > 0 && !exempt) {
      const grows = queues.find(({ kept }) => kept > 0)!;
      exempt = grows.holder;
    }
    const unbound = exempt && exempt.waits > 0 && queues.find(({ holder }) => holder === exempt);
    if (unbound) return [unbound, last];
    for (const share of shares.keys()) {
      const first = firstFor(share);
      if (first && fits(share, first.holder, first.amount)) return [first, share];
    }
    return undefined;
  }

  function serve(): void {
    for (let found = next(); found; found = next()) {
      const [one, share] = found;
      remove(one);
      if (isGone(one.holder.owner)) {
        if (exempt === one.holder) exempt = null;
        one.reject(new NoRoom('the work is no longer needed'));
        continue;
      }
      letIn(one.holder, one.amount, share);
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

  function takeNow(holder: Holder, amount: number, mayPass: boolean): boolean {
    const share = shareNow(holder, amount, mayPass);
    if (share === undefined) return false;
    letIn(holder, amount, share);
    return true;
  }

  /**
   * Makes room in the queue by dropping the newest work of the owner with the most. Returns false if that is
   * `owner`. An owner's only work stays.
   */
  function makeRoom(owner: object): boolean {
    const longest = queues.longest();
    if (!longest || longest === owner || queues.sizeOf(longest) < 2) return false;
    const dropped = queues.pop(longest)!;
    count(dropped, -1);
    dropped.reject(tooMuch());
    return true;
  }

  function assertMayWait({ owner, held, share }: Holder): void {
    const own = queues.sizeOf(owner);
    // Places that wait must not fill the smallest share, in which others would be done soon.
    const fillsFirst = held > 0 && share === 0 && keptInFirst + held > shares[0]!.together / 2;
    if (own >= maxWaitingPerOwner || fillsFirst) throw tooMuch();
    // An owner with nothing waiting is always admitted, so that others cannot fill the queue and shut it out.
    if (queues.size() >= maxWaiting && !makeRoom(owner) && own > 0) throw tooMuch();
  }

  function wait(holder: Holder, amount: number): Promise<void> {
    assertMayWait(holder);
    const { owner, held: kept, share: keptIn } = holder;
    return new Promise((resolve, reject) => {
      const one = { holder, amount, kept, keptIn, since: performance.now(), resolve, reject };
      queues.push(owner, one);
      count(one, 1);
      keepSweeping();
    });
  }

  return {
    enter: (owner) => {
      const holder: Holder = { owner, client: clientOf(owner), held: 0, share: 0, waits: 0 };
      return {
        take: (amount) => (takeNow(holder, amount, false) ? null : wait(holder, amount)),
        // What cannot wait may use whatever room there is.
        takeNow: (amount) => takeNow(holder, amount, true),
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

function tooMuch(): NoRoom {
  return new NoRoom('too much work is waiting');
}
