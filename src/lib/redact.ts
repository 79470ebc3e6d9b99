/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** Shorter values would be found everywhere, and redacting them would tell where they are. */
const MIN_SECRET_LENGTH = 6;

/** Credentials that are known by their looks: whoever sent them, they are nobody's to read. */
const TOKENS = [
  /\b(Bearer|FlyV1)(\s{1,8})[^\s"'<>\\]{6,}/gi,
  /\b(fm\d[a-z]?_|fo\d_)()[\w+/=.-]{6,}/g,
  // Our own: a header that begins with {"alg":, which nothing else does.
  /\b(eyJhbGciOi)()[\w-]*\.[\w-]+\.[\w-]+/g,
] as const;

/** The same for our own in base64, wherever in a longer text they stand, and in hex. */
const ENCODED_TOKENS = encodedTokens('eyJhbGciOi');

const BASE64_CHARACTER = /[A-Za-z0-9+/_=-]/;

/** One way in which a secret can be written. */
interface Form {
  readonly text: string;
  /** Part of a longer base64 text: the characters beside it hold the secret's outermost bits, and others' too. */
  readonly inBase64: boolean;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Makes a function that takes secrets out of texts for people: the values themselves (of 6 characters or more), in
 * base64 and base64url also inside a longer encoded text, in hex, URL- or JSON-escaped, and whatever looks like a
 * credential of Fly's or ours, or follows `Bearer`. A secret that two texts share between them is not found: cut after redacting.
 */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const forms = [...new Map(secrets.flatMap(formsOf).map((form) => [form.text, form])).values()];
  return (text) => withoutTokens(withoutRanges(text, rangesOf(text, forms)));
}

function formsOf(secret: string): Form[] {
  if (secret.length < MIN_SECRET_LENGTH) return [];
  const bytes = Buffer.from(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  const url = encodeURIComponent(secret.toWellFormed());
  const hex = bytes.toString('hex');
  const plain = [
    secret,
    json,
    // What Go's encoder makes of it.
    json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`),
    url,
    url.replaceAll('%20', '+'),
    url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    hex,
    hex.toUpperCase(),
  ];
  const encoded = [0, 1, 2].flatMap((offset) => {
    const base64 = base64At(bytes, offset);
    return [base64, base64.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [
    ...plain.map((text) => ({ text, inBase64: false })),
    ...encoded.map((text) => ({ text, inBase64: true })),
  ];
}

/** The characters that these bytes alone decide when they stand `offset` bytes behind a multiple of three. */
function base64At(bytes: Buffer, offset: number): string {
  const base64 = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  return base64.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
}

/** All places are found before any is taken out, so that one secret inside another cannot hide the longer one. */
function rangesOf(text: string, forms: readonly Form[]): Range[] {
  const ranges: Range[] = [];
  for (const form of forms) {
    let from = text.indexOf(form.text);
    while (from !== -1) {
      const to = from + form.text.length;
      ranges.push(form.inBase64 ? withNeighbours(text, from, to) : { from, to });
      from = text.indexOf(form.text, to);
    }
  }
  return ranges.sort((one, other) => one.from - other.from);
}

function withNeighbours(text: string, from: number, to: number): Range {
  const before = from > 0 && BASE64_CHARACTER.test(text[from - 1]!) ? 1 : 0;
  let after = 0;
  while (after < 3 && to + after < text.length && BASE64_CHARACTER.test(text[to + after]!)) after += 1;
  return { from: from - before, to: to + after };
}

function withoutRanges(text: string, ranges: readonly Range[]): string {
  const kept: string[] = [];
  let end = 0;
  for (const { from, to } of ranges) {
    if (from >= end) kept.push(text.slice(end, from), REDACTED);
    end = Math.max(end, to);
  }
  kept.push(text.slice(end));
  return kept.join('');
}

function withoutTokens(text: string): string {
  const plain = TOKENS.reduce((rest, token) => rest.replace(token, `$1$2${REDACTED}`), text);
  return plain.replace(ENCODED_TOKENS, REDACTED);
}

function encodedTokens(beginning: string): RegExp {
  const bytes = Buffer.from(beginning);
  const base64 = [0, 1, 2].map((offset) => base64At(bytes, offset)).join('|');
  return new RegExp(
    `(?:${base64})[\\w+/=-]*|${bytes.toString('hex')}[0-9a-f]*|${bytes.toString('hex').toUpperCase()}[0-9A-F]*`,
    'g',
  );
}
