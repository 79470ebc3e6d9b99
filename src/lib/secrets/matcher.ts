/**
 * Finds any of a fixed set of byte patterns in one pass: an Aho–Corasick automaton with every transition
 * filled in.
 */
export interface Matcher {
  /** The class of each byte in the table. 0: the byte is in no pattern. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** `table[state * classes + class]` is the next state. State 0 is the start. */
  readonly table: Uint16Array;
  /** By state: the length of the longest pattern that ends here, or 0 if none does. */
  readonly longest: Uint16Array;
  /** By state: how many bytes of a pattern have been read. */
  readonly depth: Uint16Array;
  /** By state: 1 if a marked pattern ends here. */
  readonly marked: Uint8Array;
  /** The length of the longest pattern. */
  readonly maxLength: number;
}

/** The most bytes of all patterns together, because states are numbered with 16 bits. */
export const MAX_PATTERN_BYTES = 16 * 1024;

/**
 * Builds a matcher. The work and the table grow with the total length of the patterns times the number of
 * different bytes in them: at most 8 MB, typically about 50 KB. Patterns need at least one byte each and may
 * have at most {@link MAX_PATTERN_BYTES} together. The first `marks` patterns are marked.
 */
export function createMatcher(patterns: readonly Uint8Array[], marks = 0): Matcher {
  const classOf = new Uint8Array(256);
  // 256 different bytes would need 257 classes, more than a byte can number. UTF-8 never contains 0xff.
  for (const pattern of patterns) for (const byte of pattern) classOf[byte] = 1;
  let classes = 1;
  for (let byte = 0; byte < 255; byte += 1) if (classOf[byte] === 1) classOf[byte] = classes++;
  classOf[255] = 0;

  const maxStates = 1 + patterns.reduce((sum, { length }) => sum + length, 0);
  const table = new Uint16Array(maxStates * classes);
  const longest = new Uint16Array(maxStates);
  const depth = new Uint16Array(maxStates);
  const marked = new Uint8Array(maxStates);
  let states = 1;
  for (const [index, pattern] of patterns.entries()) {
    let state = 0;
    for (const byte of pattern) {
      const place = state * classes + classOf[byte]!;
      if (table[place] === 0) {
        depth[states] = depth[state]! + 1;
        table[place] = states++;
      }
      state = table[place]!;
    }
    longest[state] = pattern.length;
    if (index < marks) marked[state] = 1;
  }

  // Shallow states first: a state without its own transition takes that of its longest proper suffix.
  const suffix = new Uint16Array(states);
  const queue = new Uint16Array(states);
  let queued = 1;
  for (let at = 0; at < queued; at += 1) {
    const state = queue[at]!;
    const back = suffix[state]!;
    longest[state] = Math.max(longest[state]!, longest[back]!);
    marked[state] = marked[state]! | marked[back]!;
    for (let c = 0; c < classes; c += 1) {
      const place = state * classes + c;
      const own = table[place]!;
      const otherwise = state === 0 ? 0 : table[back * classes + c]!;
      if (own === 0) table[place] = otherwise;
      else {
        suffix[own] = otherwise;
        queue[queued++] = own;
      }
    }
  }

  return {
    classOf,
    classes,
    table,
    longest,
    depth,
    marked,
    maxLength: longest.reduce((most, length) => Math.max(most, length), 0),
  };
}
