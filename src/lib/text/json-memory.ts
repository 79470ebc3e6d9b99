/**
 * Estimates the memory in bytes that a value takes that was parsed from JSON, up to a little more than `most`. An empty
 * object takes twenty times as much as its text. Text outside Latin-1 takes twice as much as estimated.
 */
export function jsonMemory(value: unknown, most: number): number {
  let bytes = 0;
  // A list instead of recursion: JSON may nest deeper than the stack.
  const waiting: unknown[] = [value];
  while (waiting.length > 0 && bytes <= most) {
    const next = waiting.pop();
    if (typeof next === 'string') bytes += 24 + next.length;
    else if (typeof next === 'number') bytes += 16;
    else if (Array.isArray(next)) {
      bytes += 32 + 8 * next.length;
      for (const item of next) if (item !== null && typeof item !== 'boolean') waiting.push(item);
    } else if (typeof next === 'object' && next !== null) {
      const members = next as Readonly<Record<string, unknown>>;
      bytes += 64;
      for (const key of Object.keys(members)) {
        bytes += 48 + key.length;
        waiting.push(members[key]);
      }
    }
  }
  return bytes;
}
