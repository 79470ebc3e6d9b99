import { type Turns, TurnsExhausted } from '../lib/turns.ts';
import { overloaded, responseTooLarge } from './faults.ts';
import { BYTES_PER_COST, CHEAP_COST, RESPONSE_BYTES } from './limits.ts';
import type { Price } from './price.ts';

/** What a read brought, and how many bytes that is. */
export interface Measured {
  readonly bytes: number;
}

/** What one answer may still read and write. Answers under construction share what the process may hold. */
export interface AnswerBudget {
  /**
   * Runs one read, after the reads of this answer that came before. `read` is given the most bytes that it may bring; it
   * may bring more only in its last item. Throws RESPONSE_TOO_LARGE without reading when nothing is left, and OVERLOADED
   * when the answers under construction hold too much. `cost` is the read's, in fields. Resolves in a turn of the event
   * loop with time to complete what was read.
   */
  read<Value extends Measured>(
    request: { readonly cost: number; readonly maxBytes: number },
    read: (maxBytes: number) => Promise<Value>,
  ): Promise<Value>;
  /** Waits for a turn of the event loop in which more work of this cost may run. */
  turn(cost: number): Promise<void>;
  /** Waits for a turn with time to complete a part of the answer that was just read and comes to so many bytes. */
  completionTurn(bytes: number): Promise<void>;
  /** Waits for a turn with time to write the answer as text. */
  textTurn(): Promise<void>;
  /** Counts bytes that the answer is about to hold. Throws as `read` does. */
  write(bytes: number): void;
  /** Gives everything back when the answer is complete. Reads that still wait then fail. */
  close(): void;
}

/** Opens the budgets of answers. */
export interface AnswerBudgets {
  /** `price`: the operation's cost, and what its names and short values come to. `owner`: in whose turns of the loop it runs. */
  open(price: Pick<Price, 'cost' | 'bytes'>, owner: object): AnswerBudget;
}

/** A page of events with a small answer around it. */
const ONE_PAGE = 4 * 1024 * 1024 + 64 * 1024;
/** What is kept for single pages, as a share of the bound. */
const SPARE = 1 / 2;

/** Creates budgets that hold at most `maxBytes` together, and read in turns. */
export function createAnswerBudgets(maxBytes: number, turns: Turns): AnswerBudgets {
  // Where the heap is small, one large answer is too large: waiting would not make room for it.
  const perAnswer = Math.min(RESPONSE_BYTES, Math.floor(maxBytes / 4));
  let heldByAll = 0;
  const heldBy = new WeakMap<object, number>();

  function open({ cost: operationCost, bytes }: Pick<Price, 'cost' | 'bytes'>, owner: object): AnswerBudget {
    let held = 0;
    let readable = perAnswer;
    let writable = perAnswer - bytes;
    let closed = false;
    /** The read that the next one waits for; null when none is under way. */
    let last: Promise<unknown> | null = null;

    function add(more: number): void {
      if (closed) return;
      held += more;
      heldByAll += more;
      heldBy.set(owner, (heldBy.get(owner) ?? 0) + more);
    }

    function reserve(more: number): void {
      const own = (heldBy.get(owner) ?? 0) + more;
      // One page of somebody who holds nothing else is let in above the bound, or a few clients could shut out others.
      const most = own <= ONE_PAGE ? maxBytes * (1 + SPARE) : maxBytes;
      if (own > maxBytes / 2 || heldByAll + more > most)
        throw overloaded('the answers under construction hold too much');
      add(more);
    }

    async function readNow<Value extends Measured>(
      cost: number,
      maxBytes: number,
      read: (maxBytes: number) => Promise<Value>,
    ): Promise<Value> {
      if (readable <= 0) throw responseTooLarge();
      await takeTurn(turns, owner, cost);
      if (closed) throw responseTooLarge();
      const reserved = Math.min(maxBytes, readable);
      reserve(reserved);
      let brought = 0;
      try {
        const value = await read(reserved);
        brought = value.bytes;
        readable -= brought;
        if (readable < 0) throw responseTooLarge();
        return value;
      } finally {
        add(brought - reserved);
      }
    }

    // Every part counts as the whole operation: which fields hang on it is not looked up.
    const completionTurn = (bytes: number) => turnFor(operationCost + bytes / BYTES_PER_COST);

    async function turnFor(cost: number): Promise<void> {
      if (cost > CHEAP_COST) await takeTurn(turns, owner, cost);
    }

    return {
      read: ({ cost, maxBytes }, read) => {
        const before = last;
        const next = async () => {
          const value = await readNow(cost, maxBytes, read);
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
      turn: (cost) => takeTurn(turns, owner, cost),
      completionTurn,
      textTurn: () => turnFor((perAnswer - writable) / BYTES_PER_COST),
      write: (more) => {
        writable -= more;
        if (writable < 0) throw responseTooLarge();
        reserve(more);
      },
      close: () => {
        if (closed) return;
        heldByAll -= held;
        heldBy.set(owner, (heldBy.get(owner) ?? held) - held);
        closed = true;
      },
    };
  }

  return { open };
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
  if (text) budget.write(text.length);
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
  budget.write(length);
  return json;
}
