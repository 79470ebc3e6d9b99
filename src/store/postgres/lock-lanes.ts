import { createOwnerQueues } from '../../lib/waiting/owner-queues.ts';
import { StoreContended } from '../unavailable.ts';
import { isLockConflict } from './faults.ts';

/** Names a row, or a set of rows that one statement writes. */
export type LockedRow = number | string;

/**
 * Runs work that may wait for the locks of rows, one piece at a time per row, so that work on a row that
 * others hold waits in one connection. While others hold rows, few pieces run at once, and all of them
 * together leave connections for the rest. Rows take turns. Throws {@link StoreContended} if too much is
 * waiting, for a lane or a lock, or waits too long.
 */
export type OnRow = <Answer>(row: LockedRow, work: () => Promise<Answer>) => Promise<Answer>;

/** How much may wait for row locks. */
export interface LockLanesOptions {
  /** Pieces of work that run at once. Fewer would cost throughput: a commit mostly waits for the disk. */
  readonly lanes: number;
  /** Pieces of work that run at once after one has waited too long for a lock. */
  readonly lanesWhileHeld: number;
  /** How long after such a failure, in milliseconds. */
  readonly heldMs: number;
  /** Pieces of work that wait for a lane, in total and per row. */
  readonly maxWaiting: number;
  readonly maxWaitingPerRow: number;
  /** How long a piece of work waits for a lane, in milliseconds. */
  readonly waitMs: number;
}

interface Waiting {
  readonly row: LockedRow;
  readonly start: () => void;
}

/** Creates idle lanes. The lock waits of the work itself are bounded by the connection's `lock_timeout`. */
export function createLockLanes(options: LockLanesOptions): OnRow {
  const { lanes, lanesWhileHeld, heldMs, maxWaiting, maxWaitingPerRow, waitMs } = options;
  const waiting = createOwnerQueues<LockedRow, Waiting>();
  const busy = new Set<LockedRow>();

  let heldUntil = Number.NEGATIVE_INFINITY;

  const hasLane = () => busy.size < (performance.now() < heldUntil ? lanesWhileHeld : lanes);

  function enter(row: LockedRow): Promise<void> | null {
    if (hasLane() && !busy.has(row)) {
      busy.add(row);
      return null;
    }
    if (waiting.size() >= maxWaiting) throw new StoreContended('too much work waits for rows');
    if (waiting.sizeOf(row) >= maxWaitingPerRow) throw new StoreContended('too much work waits for one row');
    return new Promise((resolve, reject) => {
      const one: Waiting = {
        row,
        start: () => {
          clearTimeout(late);
          busy.add(row);
          resolve();
        },
      };
      const late = setTimeout(() => {
        waiting.remove(row, one);
        reject(new StoreContended('work on the same or other rows takes too long'));
      }, waitMs);
      waiting.push(row, one);
    });
  }

  function leave(row: LockedRow): void {
    busy.delete(row);
    for (let next = nextFree(); next; next = nextFree()) {
      waiting.remove(next.row, next);
      next.start();
    }
  }

  function nextFree(): Waiting | undefined {
    return hasLane() ? waiting.find((one) => !busy.has(one.row)) : undefined;
  }

  return async (row, work) => {
    await enter(row);
    try {
      return await work();
    } catch (error) {
      if (!isLockConflict(error)) throw error;
      heldUntil = performance.now() + heldMs;
      throw new StoreContended('another transaction holds a row that this request needs', { cause: error });
    } finally {
      leave(row);
    }
  };
}
