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
  for (const [key, member] of Object.entries(value)) {
    rest = jsonLengthLeft(member, rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}
