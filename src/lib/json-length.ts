/**
 * What is left of `left` characters after the value is written as JSON; never less than its JSON really leaves. Walks
 * the value without writing it, and stops below zero.
 */
export function jsonLengthLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2;
  if (typeof value !== 'object' || value === null) return left - 1;
  let rest = left - 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      rest = jsonLengthLeft(item, rest - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  const members = value as Readonly<Record<string, unknown>>;
  // Not its entries: a pair for each member took as long as all else that is done here.
  for (const key of Object.keys(members)) {
    rest = jsonLengthLeft(members[key], rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}
