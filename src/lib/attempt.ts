/** Returns what `make` returns, or null if it throws. For work whose failure needs no explanation. */
export function attempt<Value>(make: () => Value): Value | null {
  try {
    return make();
  } catch {
    return null;
  }
}
