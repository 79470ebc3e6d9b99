import { credentialsIn, withoutOpaqueTexts } from './credentials.ts';
import type { Range } from './match-stream.ts';
import { createMatcher, MAX_PATTERN_BYTES } from './matcher.ts';
import { createSearch } from './search.ts';
import { significant } from './unseen.ts';
import { webTokensIn } from './web-tokens.ts';

/** The replacement for a secret. */
export const REDACTED = '[redacted]';

/** Shorter values would match everywhere, and redacting them would reveal where they are. */
const MIN_SECRET_LENGTH = 6;

/** From this length, a line of a multi-line secret counts as a secret, too. */
const MIN_LINE_LENGTH = 8;

/** Credentials in a known format, regardless of their owner. */
const TOKENS = [
  /\b(Bearer|FlyV1)(\s{1,8})[^\s"'<>\\]{6,}/gi,
  /\b(fm\d[a-z]?_|fo\d_)()[\w+/=.-]{6,}/g,
] as const;

/** The beginning of every JSON Web Token of this server: `{"alg":` in base64. */
const OWN_TOKEN = 'eyJhbGciOi';

/** Bytes searched without a pause: about a millisecond. */
const SLICE_BYTES = 16 * 1024;

/**
 * How far back from a cut a secret may start, as a multiple of its length: it may be escaped, wrapped and
 * indented.
 */
const STRETCH = 8;
const MIN_MARGIN_BYTES = 4 * 1024;
const MAX_MARGIN_BYTES = 64 * 1024;

/** Removes a set of secrets from texts. */
export interface Redactor {
  redact(text: string): string;
  /**
   * Returns the bytes from `from` on as text without secrets. The bytes before `from` serve to find a secret
   * that the cut divides; {@link marginBytes} of them suffice. A possible beginning of a secret at the end is
   * removed as well. Works in slices and awaits `pause` between them.
   */
  redactTail(bytes: Buffer, from: number, pause: () => Promise<void>): Promise<string>;
  readonly marginBytes: number;
  /** The redactor's memory, in bytes. */
  readonly heldBytes: number;
}

/** Like {@link prepareRedactor}, but returns only the function that redacts single texts. */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  return prepareRedactor(secrets).redact;
}

/**
 * Creates a redactor for secrets of 6 or more characters, and for the lines of 8 or more characters of
 * multi-line secrets. It finds them as they are, JSON-, C- or URL-escaped (C also in the dialects of git,
 * Python, JavaScript, Rust and Perl), in base64 and base64url even inside a longer encoded text, and in hex,
 * also with colons or hyphens between the bytes; each of these also across line breaks, indentation, spaces,
 * terminal escape sequences of 7 and 8 bits and of any length, control characters, zero-width characters, and
 * bytes that are not UTF-8 (or the U+FFFD in their place), and if backspaces overstrike, underline or correct
 * its characters. JSON Web Tokens are found in the same ways, Fly's credentials and whatever follows `Bearer`
 * only as they are. If a secret is JSON, its credentials count, too. If the secrets exceed 16 KiB together,
 * the first ones count, and every opaque text is removed in place of the others.
 */
export function prepareRedactor(secrets: readonly string[]): Redactor {
  const { patterns, isComplete } = patternsOf(secrets);
  const matcher = createMatcher(patterns, 1);
  const marginBytes = Math.min(MAX_MARGIN_BYTES, Math.max(MIN_MARGIN_BYTES, STRETCH * matcher.maxLength));

  function finish(text: string): string {
    const known = TOKENS.reduce(
      (rest, token) => rest.replace(token, `$1$2${REDACTED}`),
      withoutWebTokens(text),
    );
    return isComplete ? known : withoutOpaqueTexts(known, REDACTED);
  }

  return {
    redact: (text) => {
      const bytes = Buffer.from(text);
      const ranges = createSearch(bytes, matcher).ranges(false);
      return finish(ranges.length === 0 ? text : withoutRanges(bytes, 0, ranges));
    },
    redactTail: async (bytes, from, pause) => {
      const search = createSearch(bytes, matcher);
      while (search.goOn(SLICE_BYTES)) await pause();
      return finish(withoutRanges(bytes, from, search.ranges(true)));
    },
    marginBytes,
    heldBytes: matcher.table.byteLength,
  };
}

/** Returns the patterns to search for. The first one is the beginning of this server's own tokens. */
function patternsOf(secrets: readonly string[]): {
  readonly patterns: readonly Uint8Array[];
  readonly isComplete: boolean;
} {
  const whole = secrets.flatMap((secret) => [secret, ...insideOf(secret)]);
  const texts = new Set([...whole, ...whole.flatMap(linesOf)]);
  const patterns = [significant(OWN_TOKEN)];
  let left = MAX_PATTERN_BYTES - OWN_TOKEN.length;
  let isComplete = true;
  for (const text of texts) {
    // A character takes at most three bytes, so what cannot fit need not be encoded.
    const pattern = text.length > left ? null : significant(text);
    if (pattern && text.length >= MIN_SECRET_LENGTH && pattern.length >= MIN_SECRET_LENGTH) {
      if (pattern.length <= left) {
        patterns.push(pattern);
        left -= pattern.length;
      } else isComplete = false;
    } else if (!pattern) isComplete = false;
  }
  return { patterns, isComplete };
}

function linesOf(secret: string): string[] {
  return secret.includes('\n')
    ? secret.split('\n').filter((line) => line.trim().length >= MIN_LINE_LENGTH)
    : [];
}

/**
 * Returns the credentials inside a secret that is a JSON document, such as a service account, which programs
 * parse.
 */
function insideOf(secret: string): readonly string[] {
  if (!/^\s*[{[]/.test(secret)) return [];
  try {
    return credentialsIn(JSON.parse(secret));
  } catch {
    return [];
  }
}

/** Returns the text without this server's own tokens. Their beginning stays. */
function withoutWebTokens(text: string): string {
  const kept: string[] = [];
  let end = 0;
  for (const { from, to } of webTokensIn(text, OWN_TOKEN)) {
    kept.push(text.slice(end, from + OWN_TOKEN.length), REDACTED);
    end = to;
  }
  kept.push(text.slice(end));
  return kept.join('');
}

function withoutRanges(bytes: Buffer, start: number, ranges: readonly Range[]): string {
  const kept: string[] = [];
  let end = start;
  for (const { from, to } of ranges) {
    if (to <= start) continue;
    kept.push(bytes.toString('utf8', end, Math.max(end, from)), REDACTED);
    end = to;
  }
  kept.push(bytes.toString('utf8', end));
  return kept.join('');
}
