/**
 * Returns how many of `left` characters remain after the value is written as JSON. Never less than what its
 * JSON really leaves. Walks the value without writing it, and stops below zero.
 */
export function jsonLengthLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2;
  if (typeof value !== 'object' || value === null) return left - 1;
  if (Array.isArray(value)) {
    let rest = left - ends(value.length);
    for (const item of value) {
      rest = jsonLengthLeft(item, rest - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  const members = value as Readonly<Record<string, unknown>>;
  // Keys instead of entries: creating a pair per member took as long as everything else here.
  const keys = Object.keys(members);
  let rest = left - ends(keys.length);
  for (const key of keys) {
    rest = jsonLengthLeft(members[key], rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}

/** The brackets of a list of items that each count with a comma, which the last one does not have. */
function ends(items: number): number {
  return items > 0 ? 1 : 2;
}
