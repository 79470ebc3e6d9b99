import { createRoom, NoRoom, type Place } from '../lib/room.ts';
import { type Turns, TurnsExhausted } from '../lib/turns.ts';
import { overloaded, responseTooLarge } from './faults.ts';
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

/** What a read brought, and how many bytes that is. */
export interface Measured {
  readonly bytes: number;
}

/** One read of an answer, which may need several parts. */
export interface Parts {
  /** How many bytes the answer may still read. */
  left(): number;
  /**
   * Runs one part, which brings at most `maxBytes`. They are reserved first, and where they are many, the turn of the
   * loop has time for them: a part without room waits until others have given back what they hold. Throws
   * RESPONSE_TOO_LARGE without reading when the answer may not read so many, and OVERLOADED when too much waits or it has
   * waited too long.
   */
  part<Value extends Measured>(maxBytes: number, read: () => Promise<Value>): Promise<Value>;
}

/** What one answer may still read and write. Answers under construction share what the process may hold. */
export interface AnswerBudget {
  /**
   * Runs one read, after the reads of this answer that came before. `cost` is that of each of its parts, in fields,
   * without the bytes. Throws what its parts throw. Resolves in a turn of the event loop with time to complete what was
   * read.
   */
  read<Value extends Measured>(cost: number, read: (parts: Parts) => Promise<Value>): Promise<Value>;
  /** Waits for a turn with time to complete a part of the answer that was just read and comes to so many bytes. */
  completionTurn(bytes: number): Promise<void>;
  /** Waits for a turn with time to write the answer as text. */
  textTurn(): Promise<void>;
  /** Counts bytes that the answer is about to write. Throws RESPONSE_TOO_LARGE when that is too much. */
  write(bytes: number): void;
  /** Counts bytes that it holds and that no read has reserved. Throws OVERLOADED when answers hold too much. */
  hold(bytes: number): void;
  /** Gives everything back when the answer is complete. Reads that still wait then fail. */
  close(): void;
}

/** Opens the budgets of answers. */
export interface AnswerBudgets {
  /** `price`: the operation's cost, and what its names and short values come to. `owner`: in whose turns of the loop it runs. */
  open(price: Pick<Price, 'cost' | 'bytes'>, owner: object): AnswerBudget;
}

/**
 * What a byte that is read is held as: a text with one character outside Latin-1 has two bytes for each, and small values
 * take more as objects than as text.
 */
const HELD_PER_BYTE = 2;
/** What a first read is taken to bring until it has: those of one turn are all let in before any of them has read. */
const ADVANCE_BYTES = FIRST_READ_BYTES / 4;
/** An owner that holds at most this reads at once, however much others hold and wait for. */
const FEW_BYTES = 4 * 1024 * 1024;

/**
 * Creates budgets that hold at most `maxBytes` together, and half as much again of owners that hold little. They read in
 * turns; nobody waits for an owner that `isGone`.
 */
export function createAnswerBudgets(
  maxBytes: number,
  turns: Turns,
  isGone: (owner: object) => boolean = () => false,
): AnswerBudgets {
  // Where the heap is small, one large answer is too large: waiting would not make room for it.
  const perAnswer = Math.min(RESPONSE_BYTES, Math.floor(maxBytes / 4));
  // The room lets one answer in above its bound: half is for that one.
  const room = createRoom({
    most: maxBytes / 2,
    few: Math.min(FEW_BYTES, maxBytes / 4),
    mostOfFew: maxBytes * 1.5,
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
    /** The read that the next one waits for; null when none is under way. */
    let last: Promise<unknown> | null = null;

    function assertReadable(more: number): void {
      if (!closed && readable > 0 && more <= readable) return;
      // What comes after it would be refused all the same.
      readable = 0;
      throw responseTooLarge();
    }

    async function readPart<Value extends Measured>(
      cost: number,
      most: number,
      read: () => Promise<Value>,
    ): Promise<Value> {
      assertReadable(most);
      // What a first read brings is paid for once it is known.
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

    // Every part counts as the whole operation: which fields hang on it is not looked up.
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
        if (!closed && !place.takeNow(more)) throw overloaded('the answers under construction hold too much');
      },
      close: () => {
        if (closed) return;
        closed = true;
        place.leave();
      },
    };
  }

  return { open };
}

/** Takes room; resolves to whether that took waiting. */
async function takeRoom(place: Place, amount: number): Promise<boolean> {
  try {
    const later = place.take(amount);
    if (later) await later;
    return later !== null;
  } catch (error) {
    if (error instanceof NoRoom) throw overloaded('the answers under construction hold too much');
    throw error;
  }
}

/** Waits until work of this cost, in fields, may run. Throws OVERLOADED when too much waits. */
export async function takeTurn(turns: Turns, owner: object, cost: number): Promise<void> {
  try {
    const turn = turns.take(owner, cost);
    if (turn) await turn;
  } catch (error) {
    if (error instanceof TurnsExhausted) throw overloaded('too many operations wait');
    throw error;
  }
}

/** Counts a text that the answer is about to hold, and returns it. */
export function counted<Text extends string | null>(budget: AnswerBudget, text: Text): Text {
  if (text) writeHeld(budget, text.length);
  return text;
}

const lengths = new WeakMap<object, number>();

/** Counts a JSON value that the answer is about to hold, and returns it. It is measured once. */
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
