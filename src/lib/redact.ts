import { credentialsIn, withoutOpaqueTexts } from './credentials.ts';
import { createMatcher, MAX_PATTERN_BYTES } from './matcher.ts';
import { createSearch, type Range, significant } from './readings.ts';
import { webTokensIn } from './web-tokens.ts';

/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** Shorter values would be found everywhere, and redacting them would tell where they are. */
const MIN_SECRET_LENGTH = 6;

/** A line of a secret of several lines is a secret, too, from this length. */
const MIN_LINE_LENGTH = 8;

/** Credentials with a known form, no matter whose they are. */
const TOKENS = [
  /\b(Bearer|FlyV1)(\s{1,8})[^\s"'<>\\]{6,}/gi,
  /\b(fm\d[a-z]?_|fo\d_)()[\w+/=.-]{6,}/g,
] as const;

/** How every JSON Web Token of this server begins: `{"alg":` in base64. */
const OWN_TOKEN = 'eyJhbGciOi';

/** Bytes that are searched without a pause: about a millisecond. */
const SLICE_BYTES = 16 * 1024;

/** How far a secret may reach back from where a text is cut: what it takes when it is escaped, wrapped and indented. */
const STRETCH = 8;
const MIN_MARGIN_BYTES = 4 * 1024;
const MAX_MARGIN_BYTES = 64 * 1024;

/** Takes a set of secrets out of texts. */
export interface Redactor {
  redact(text: string): string;
  /**
   * The bytes from `from` on as text, without secrets. The bytes before `from`, of which {@link marginBytes} are enough,
   * serve to find a secret that the cut divides; what may be the beginning of a secret at the end is taken out as well.
   * Works in slices and awaits `pause` between them.
   */
  redactTail(bytes: Buffer, from: number, pause: () => Promise<void>): Promise<string>;
  readonly marginBytes: number;
  /** Memory that it holds, in bytes. */
  readonly heldBytes: number;
}

/** {@link prepareRedactor} for single texts. */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  return prepareRedactor(secrets).redact;
}

/**
 * Prepares to take secrets of 6 characters or more out of texts, and the lines of 8 or more of those that have several:
 * as they are, JSON-, C- or URL-escaped, in base64 and base64url also inside a longer encoded text, and in hex; each of
 * these also across line breaks, indentation, spaces and terminal escape sequences. JSON Web Tokens in the same ways,
 * credentials of Fly's and what follows `Bearer` only as they are. Of a secret that is JSON its credentials count, too.
 * Where the secrets take more than 16 KiB together, the first ones count, and instead of the others every opaque text is
 * taken out.
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
      for (let end = SLICE_BYTES; end < bytes.length; end += SLICE_BYTES) {
        search.to(end);
        await pause();
      }
      return finish(withoutRanges(bytes, from, search.ranges(true)));
    },
    marginBytes,
    heldBytes: matcher.table.byteLength,
  };
}

/** The first pattern is the beginning of our own tokens. */
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
    // Three bytes a character at most: what cannot fit need not be encoded.
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

/** A secret may be a document, such as a service account, which programs take apart. */
function insideOf(secret: string): readonly string[] {
  if (!/^\s*[{[]/.test(secret)) return [];
  try {
    return credentialsIn(JSON.parse(secret));
  } catch {
    return [];
  }
}

/** The text without this server's own kind of tokens, of which the beginning stays. */
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
