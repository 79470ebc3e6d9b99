import { createRoom, NoRoom, type Place } from '../../lib/waiting/room.ts';
import { type Turns, TurnsExhausted } from '../../lib/waiting/turns.ts';
import { overloaded, responseTooLarge } from '../errors/faults.ts';
import {
  BYTES_PER_COST,
  CHEAP_COST,
  FIRST_READ_BYTES,
  MAX_WAITING_PER_CONNECTION,
  MAX_WAITING_READS,
  READ_WAIT_MS,
  RESPONSE_BYTES,
} from './limits.ts';
import type { Price } from './price.ts';

/** The result of a read, with its size in bytes. */
export interface Measured {
  readonly bytes: number;
}

/** One read of an answer, which consists of one or more parts. */
export interface Parts {
  /** The number of bytes that the answer may still read. */
  left(): number;
  /**
   * Runs one part, which reads at most `maxBytes`. The bytes are reserved first; a part without room waits
   * until other answers release theirs. A large part also waits for a turn of the event loop that has time
   * for it. Throws RESPONSE_TOO_LARGE without reading if `maxBytes` exceeds what the answer may read, and
   * OVERLOADED if too many parts wait or this one has waited too long.
   */
  part<Value extends Measured>(maxBytes: number, read: () => Promise<Value>): Promise<Value>;
}

/** The bytes that one answer may still read and write. Pending answers share the memory of the process. */
export interface AnswerBudget {
  /**
   * Runs one read, after all earlier reads of this answer. `cost` is the cost of each part, in fields,
   * without the bytes. Throws what its parts throw. Resolves in a turn of the event loop that has time to
   * complete the fields of the result.
   */
  read<Value extends Measured>(cost: number, read: (parts: Parts) => Promise<Value>): Promise<Value>;
  /** Waits for a turn that has time to complete a part of the answer of `bytes` bytes that was just read. */
  completionTurn(bytes: number): Promise<void>;
  /** Waits for a turn that has time to serialize the answer. */
  textTurn(): Promise<void>;
  /** Counts bytes that the answer is about to write. Throws RESPONSE_TOO_LARGE above the limit. */
  write(bytes: number): void;
  /** Counts bytes that the answer holds outside of reads. Throws OVERLOADED if all answers hold too much. */
  hold(bytes: number): void;
  /**
   * Waits for work that takes no room here. Rejects once the answer is complete: a field that failed completes it while
   * others still wait, and what they refer to must not stay in memory.
   */
  untilClosed<Value>(work: Promise<Value>): Promise<Value>;
  /** Releases everything once the answer is complete. Reads that still wait fail. */
  close(): void;
}

/** Creates a budget for each answer. */
export interface AnswerBudgets {
  /**
   * Opens the budget of one answer.
   *
   * @param price The cost of the operation, and the bytes of its names and short values.
   * @param owner The client, such as a socket, in whose turns of the event loop the operation runs.
   */
  open(price: Pick<Price, 'cost' | 'bytes'>, owner: object): AnswerBudget;
}

/**
 * Bytes of memory per byte read: a string with one character outside Latin-1 takes two bytes for every
 * character, and small values take more memory as objects than as text.
 */
const HELD_PER_BYTE = 2;
/** The assumed size of a pending first read: all first reads of one turn start before any of them ends. */
const ADVANCE_BYTES = FIRST_READ_BYTES / 4;
/**
 * An owner that holds at most this much does not wait for those that hold more: room for two first reads, or
 * for one and the texts that the answer holds besides.
 */
const LITTLE_BYTES = 2 * FIRST_READ_BYTES * HELD_PER_BYTE;
/** An owner that holds at most this much does not wait for those that hold more than this. */
const FEW_BYTES = 4 * 1024 * 1024;

/**
 * Creates budgets that together hold at most `maxBytes`, and half as much again for owners that hold little.
 * Their reads take turns; no read waits for an owner for which `isGone` returns true.
 */
export function createAnswerBudgets(
  maxBytes: number,
  turns: Turns,
  isGone: (owner: object) => boolean = () => false,
): AnswerBudgets {
  // With a small heap, a large answer is refused: waiting would not make room for it.
  const perAnswer = Math.min(RESPONSE_BYTES, Math.floor(maxBytes / 4));
  // The room may exceed its bound by one answer. The other half is for that answer.
  const quarter = maxBytes / 4;
  const room = createRoom({
    most: maxBytes / 2,
    shares: [
      { perOwner: Math.min(LITTLE_BYTES, quarter), together: quarter },
      { perOwner: Math.min(FEW_BYTES, quarter), together: quarter },
    ],
    maxWaiting: MAX_WAITING_READS,
    maxWaitingPerOwner: MAX_WAITING_PER_CONNECTION,
    waitMs: READ_WAIT_MS,
    isGone,
  });

  function open({ cost: operationCost, bytes }: Pick<Price, 'cost' | 'bytes'>, owner: object): AnswerBudget {
    const place = room.enter(owner);
    let readable = perAnswer;
    let writable = perAnswer - bytes;
    let closed = false;
    /** Rejects the work that the answer waits for. */
    const abandon = new Set<(error: Error) => void>();
    /** The pending read that the next one waits for; null if no read is pending. */
    let last: Promise<unknown> | null = null;

    function assertReadable(more: number): void {
      if (!closed && readable > 0 && more <= readable) return;
      // Later reads would be refused as well.
      readable = 0;
      throw responseTooLarge();
    }

    async function readPart<Value extends Measured>(
      cost: number,
      most: number,
      read: () => Promise<Value>,
    ): Promise<Value> {
      assertReadable(most);
      // A first read pays for its bytes once their number is known.
      const isFirst = most <= FIRST_READ_BYTES;
      if (isFirst) await takeTurn(turns, owner, cost + ADVANCE_BYTES / BYTES_PER_COST);
      assertReadable(most);
      const waited = await takeRoom(place, most * HELD_PER_BYTE);
      let brought = 0;
      try {
        if (waited || !isFirst) await takeTurn(turns, owner, cost + most / BYTES_PER_COST);
        assertReadable(most);
        const value = await read();
        brought = value.bytes;
        readable -= brought;
        return value;
      } finally {
        if (!closed) place.give((most - brought) * HELD_PER_BYTE);
        if (isFirst) turns.spend(Math.max(0, brought - ADVANCE_BYTES) / BYTES_PER_COST);
      }
    }

    // Each part costs as much as the whole operation: which fields depend on the part is not known.
    const completionTurn = (bytes: number) => turnFor(operationCost + bytes / BYTES_PER_COST);

    async function turnFor(cost: number): Promise<void> {
      if (cost > CHEAP_COST) await takeTurn(turns, owner, cost);
    }

    return {
      read: (cost, read) => {
        const before = last;
        const next = async () => {
          const value = await read({
            left: () => readable,
            part: (most, readNow) => readPart(cost, most, readNow),
          });
          await completionTurn(value.bytes);
          return value;
        };
        const mine = before ? before.then(next, next) : next();
        last = mine;
        const forget = () => {
          if (last === mine) last = null;
        };
        mine.then(forget, forget);
        return mine;
      },
      completionTurn,
      textTurn: () => turnFor((perAnswer - writable) / BYTES_PER_COST),
      write: (more) => {
        writable -= more;
        if (writable < 0) throw responseTooLarge();
      },
      hold: (more) => {
        if (!closed && !place.takeNow(more)) throw overloaded('the pending answers use too much memory');
      },
      untilClosed: (work) =>
        new Promise((resolve, reject) => {
          if (closed) reject(new NoRoom('the answer is complete'));
          abandon.add(reject);
          const forget = () => void abandon.delete(reject);
          work.then(resolve, reject).finally(forget);
        }),
      close: () => {
        if (closed) return;
        closed = true;
        place.leave();
        for (const reject of abandon) reject(new NoRoom('the answer is complete'));
        abandon.clear();
      },
    };
  }

  return { open };
}

/** Takes room. Resolves to true if it had to wait. */
async function takeRoom(place: Place, amount: number): Promise<boolean> {
  try {
    const later = place.take(amount);
    if (later) await later;
    return later !== null;
  } catch (error) {
    if (error instanceof NoRoom) throw overloaded('the pending answers use too much memory');
    throw error;
  }
}

/** Waits until work of this cost, in fields, may run. Throws OVERLOADED if too many operations wait. */
export async function takeTurn(turns: Turns, owner: object, cost: number): Promise<void> {
  try {
    const turn = turns.take(owner, cost);
    if (turn) await turn;
  } catch (error) {
    if (error instanceof TurnsExhausted) throw overloaded('too many operations are waiting');
    throw error;
  }
}

/** Counts a string that the answer is about to hold, and returns the string. */
export function counted<Text extends string | null>(budget: AnswerBudget, text: Text): Text {
  if (text) writeHeld(budget, text.length);
  return text;
}

const lengths = new WeakMap<object, number>();

/** Counts a JSON value that the answer is about to hold, and returns the value. Measures it only once. */
export function countedJson<Json extends object | null>(budget: AnswerBudget, json: Json): Json {
  if (!json) return json;
  let length = lengths.get(json);
  if (length === undefined) {
    length = JSON.stringify(json).length;
    lengths.set(json, length);
  }
  writeHeld(budget, length);
  return json;
}

function writeHeld(budget: AnswerBudget, bytes: number): void {
  budget.write(bytes);
  budget.hold(bytes);
}
