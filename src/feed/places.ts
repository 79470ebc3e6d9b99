/** Values by run and place in its log, which can be searched for the nearest place at or before a cursor. */
export interface Places<Value> {
  get(run: number, start: number): Value | undefined;
  set(run: number, start: number, value: Value): void;
  /** Removes the value, unless it has been replaced. */
  delete(run: number, start: number, value: Value): void;
  /** Returns the last place at or before the cursor, with its value. */
  nearest(run: number, cursor: number): { readonly start: number; readonly value: Value } | undefined;
}

interface OfRun<Value> {
  readonly values: Map<number, Value>;
  /** Ascending. */
  readonly starts: number[];
}

/** Creates an empty map of places. `nearest` takes logarithmic time. */
export function createPlaces<Value>(): Places<Value> {
  const runs = new Map<number, OfRun<Value>>();
  return {
    get: (run, start) => runs.get(run)?.values.get(start),
    set: (run, start, value) => {
      const known = runs.get(run);
      const { values, starts } = known ?? { values: new Map<number, Value>(), starts: [] };
      if (!known) runs.set(run, { values, starts });
      if (!values.has(start)) starts.splice(countUpTo(starts, start), 0, start);
      values.set(start, value);
    },
    delete: (run, start, value) => {
      const known = runs.get(run);
      if (known?.values.get(start) !== value) return;
      known.values.delete(start);
      known.starts.splice(countUpTo(known.starts, start) - 1, 1);
      if (known.values.size === 0) runs.delete(run);
    },
    nearest: (run, cursor) => {
      const known = runs.get(run);
      const start = known?.starts[countUpTo(known.starts, cursor) - 1];
      return known && start !== undefined ? { start, value: known.values.get(start)! } : undefined;
    },
  };
}

/** Counts the ascending numbers that are at most the limit, by binary search. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
