import { jsonLengthLeft } from '../../lib/text/json-length.ts';
import type { UpdatedRun } from './row.ts';

/** Rows in the order of their changes, numbered by position. Each run has only its latest row. */
export interface ChangedRows {
  /** The position of the oldest row that is still here. */
  start(): number;
  /** The position that the next row will get. */
  end(): number;
  /** Returns the row at a position, or null if its run has changed again since: see a later position. */
  at(position: number): UpdatedRun | null;
  /** Adds rows. The oldest rows of earlier calls are dropped if there are too many. */
  append(rows: readonly UpdatedRun[]): void;
  /** Drops all rows. */
  clear(): void;
}

interface Slot {
  readonly run: number;
  row: UpdatedRun | null;
  bytes: number;
}

interface List {
  start: number;
  slots: Slot[];
  /** Each run's latest slot. */
  readonly newest: Map<number, Slot>;
  /** The first position of the last call of `append`: what nobody could see yet is not dropped. */
  fresh: number;
  bytes: number;
}

/** The memory assumed for a row without its labels. A title is short. */
const BYTES_PER_ROW = 4_096;
/** Labels are held twice, as read and folded, and take more than their JSON. */
const BYTES_PER_CHARACTER = 4;
/** More than any labels have. */
const MAX_CHARACTERS = 2 ** 30;

/**
 * Returns a function that creates empty lists. Each holds up to `maxRows` positions, and all together
 * `maxBytes`: above this, the longest lists lose rows. The rows of the last append always stay.
 */
export function createRowLists(maxRows: number, maxBytes: number): () => ChangedRows {
  const filled = new Set<List>();
  let bytes = 0;

  function resize(list: List, slot: Slot, to: number): void {
    list.bytes += to - slot.bytes;
    bytes += to - slot.bytes;
    slot.bytes = to;
  }

  function release(list: List, slot: Slot): void {
    slot.row = null;
    resize(list, slot, 0);
    if (list.newest.get(slot.run) === slot) list.newest.delete(slot.run);
  }

  function add(list: List, row: UpdatedRun): void {
    const before = list.newest.get(row.key);
    if (before) release(list, before);
    const slot: Slot = { run: row.key, row, bytes: 0 };
    resize(list, slot, bytesOf(row));
    list.slots.push(slot);
    list.newest.set(row.key, slot);
  }

  function dropOldest(list: List): void {
    const slot = list.slots.shift();
    if (!slot) return;
    list.start += 1;
    release(list, slot);
  }

  function largest(): List | null {
    let found: List | null = null;
    for (const list of filled) if (canDrop(list) && list.bytes > (found?.bytes ?? 0)) found = list;
    return found;
  }

  function append(list: List, rows: readonly UpdatedRun[]): void {
    list.fresh = endOf(list);
    filled.add(list);
    for (const row of rows) add(list, row);
    while (list.slots.length > maxRows && canDrop(list)) dropOldest(list);
    while (bytes > maxBytes) {
      const longest = largest();
      if (!longest) return;
      dropOldest(longest);
    }
  }

  function clear(list: List): void {
    list.start = endOf(list);
    for (const slot of list.slots) resize(list, slot, 0);
    list.slots = [];
    list.newest.clear();
    filled.delete(list);
  }

  return () => {
    const list: List = { start: 0, slots: [], newest: new Map(), fresh: 0, bytes: 0 };
    return {
      start: () => list.start,
      end: () => endOf(list),
      at: (position) => list.slots[position - list.start]?.row ?? null,
      append: (rows) => append(list, rows),
      clear: () => clear(list),
    };
  };
}

function endOf({ start, slots }: List): number {
  return start + slots.length;
}

function canDrop({ start, fresh }: List): boolean {
  return start < fresh;
}

function bytesOf({ labels }: UpdatedRun): number {
  const characters = MAX_CHARACTERS - jsonLengthLeft(labels, MAX_CHARACTERS);
  return BYTES_PER_ROW + characters * BYTES_PER_CHARACTER;
}
