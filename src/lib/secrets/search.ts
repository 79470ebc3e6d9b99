import { restartAll } from './encodings.ts';
import { prefixOf, type Range } from './match-stream.ts';
import type { Matcher } from './matcher.ts';
import { type Pass, passesFor } from './passes.ts';
import { createReader, readTo, startPass } from './reader.ts';
import { OVERSTRUCK, SHOWN } from './terminal-text.ts';

const EQUALS = 0x3d;

/** The work of starting and ending a pass, in bytes. */
const PASS_BYTES = 64;

/** A search that can run in pieces. */
export interface Search {
  /** Continues the search by this many bytes or a few more. Returns false once it is complete. */
  goOn(count: number): boolean;
  /**
   * Completes the search. Returns the matches, ordered and not touching one another. `openEnd` includes what
   * may be the beginning of a match.
   */
  ranges(openEnd: boolean): readonly Range[];
}

/**
 * Searches bytes for a matcher's patterns: plain, JSON-, C- or URL-escaped, in base64 and base64url at any
 * offset, and in hex, also with colons or hyphens in it. Whitespace, control characters, backslashes, plus
 * signs, terminal escape sequences, unseen characters and bytes that are not UTF-8 may occur between any two
 * bytes of a match; patterns exclude them, see `significant`. Where a marked pattern ends, a JSON Web Token
 * continues, and all of it counts.
 *
 * The bytes are read once, and once more in each other {@link Pass} that can read something in them in another
 * way, at most eleven times, so the work is linear in their number.
 */
export function createSearch(bytes: Uint8Array, matcher: Matcher): Search {
  const reader = createReader(bytes, matcher);
  const { passes, decoders, ambiguities } = reader;
  /** The pass in progress, as an index. */
  let current = 0;
  /** The matches of all passes so far, and what may be the beginnings of matches at the end. */
  const matches: Range[] = [];
  const prefixes: Range[] = [];

  function goOn(count: number): boolean {
    for (let left = count; current < passes.length; ) {
      const from = reader.at;
      readTo(reader, Math.min(reader.stop, from + left));
      left -= reader.at - from;
      if (reader.at < reader.stop) return true;
      left -= PASS_BYTES;
      endPass(passes[current]!);
      current += 1;
      const next = passes[current];
      if (next) startPass(reader, next);
      if (left <= 0) return next !== undefined;
    }
    return false;
  }

  function endPass(pass: Pass): void {
    for (const stream of decoders.streams) {
      const prefix = pass.kind === 'command' ? null : prefixOf(stream);
      if (prefix) prefixes.push(withOverstruck(prefix, reader.shown));
      for (const range of stream.found.splice(0)) matches.push(withOverstruck(range, reader.shown));
    }
    restartAll(decoders);
    if (pass.kind === 'whole') passes.push(...passesFor(ambiguities, pass));
  }

  return {
    goOn,
    ranges: (openEnd) => {
      goOn(Number.POSITIVE_INFINITY);
      const all = openEnd ? [...matches, ...prefixes] : matches;
      return merged(all.map((range) => withPadding(range, bytes)));
    },
  };
}

/** Includes the characters that were overstruck by the first one. */
function withOverstruck({ from, to }: Range, shown: Uint8Array | null): Range {
  let start = from;
  for (let before = from - 1; shown !== null && before >= 0 && shown[before] !== SHOWN; before -= 1) {
    if (shown[before] === OVERSTRUCK) start = before;
  }
  return { from: start, to };
}

/** Includes the padding after base64. */
function withPadding({ from, to }: Range, bytes: Uint8Array): Range {
  let end = to;
  while (end < to + 2 && bytes[end] === EQUALS) end += 1;
  return { from, to: end };
}

function merged(ranges: readonly Range[]): Range[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of ranges.toSorted((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}
