import { BASE64 } from '../text/digits.ts';
import { webTokensIn } from './web-tokens.ts';

/** Words in a name, such as `apiKey` or `X_AUTH_TOKEN`, that mark its value as secret. */
const SECRET_WORDS = new Set([
  ...['password', 'passwords', 'passwd', 'passphrase', 'pwd', 'pass', 'secret', 'secrets', 'token', 'tokens'],
  ...['credential', 'credentials', 'authorization', 'cookie', 'cookies', 'bearer', 'pat', 'apikey'],
]);

/**
 * Words that name harmless values just as often. Their values count only from 16 characters or with a digit.
 */
const DOUBTFUL_WORDS = new Set(['key', 'keys', 'auth', 'signature', 'session']);

const MIN_NAMED_LENGTH = 6;
const MIN_DOUBTFUL_LENGTH = 16;

/** Credential formats that their issuers designed to be recognizable. */
const KNOWN = new RegExp(
  [
    /\b(?:sk|pk|rk)[-_][\w-]{16,}/,
    /\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|xapp-|npm_|hf_|pypi-|dop_v1_|shp[a-z]{2}_|fm\d[a-z]?_|fo\d_)[\w+/=.-]{10,}/,
    /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/,
    /\bAIza[\w-]{30,}/,
    /\bSG\.[\w-]{16,}\.[\w-]{16,}/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

const MIN_WEB_TOKEN_LENGTH = 20;

const PEM = /-----BEGIN [A-Z0-9 ]{0,40}-----[^-]{1,20000}(?:-----END [A-Z0-9 ]{0,40}-----)?/g;
const URL_PASSWORD = /:\/\/[^\s/:@"']{0,200}:([^\s/@"'`$<>{}]{6,500})@/g;
const PLACEHOLDER = /^(?:password|secret|x+|\*+|\.+)$/i;
const BEARER = /\b(?:Bearer|Basic)\s{1,8}([\w.~+/=-]{6,})/gi;
/** A line of an environment file, possibly exported or quoted. */
const ASSIGNMENT = /\b([A-Z][A-Z0-9_]{2,60})\s?=\s?["']?([^\s"'`$(){}<>;,]{8,})/g;

const MIN_OPAQUE_LENGTH = 20;
const MIN_DIFFERENT_CHARACTERS = 6;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Returns the texts in a JSON value that are, or look like, credentials: every text under a name that says so
 * (`password`, `apiKey`, `authorization`, …), and within other texts PEM blocks, passwords in URLs, whatever
 * follows `Bearer`, values of variables whose names say so, known formats (`sk-…`, `ghp_…`, `AKIA…`, JSON Web
 * Tokens, …), and opaque texts: 20 or more of `A-Za-z0-9+/_-` that are not words. Prose, code, paths and
 * UUIDs do not count. Of random texts of 20 characters of base62 or base64 about one in 200,000 passes for
 * words, of 24 characters fewer than one in a million; of hex none.
 */
export function credentialsIn(value: unknown): readonly string[] {
  const search = searchOf();
  for (const _ of collect(value, 'none', search));
  return [...search.found];
}

/** Like {@link credentialsIn}, in slices of a few milliseconds with `pause` awaited between them. */
export async function credentialsInSlices(
  value: unknown,
  pause: () => Promise<void>,
): Promise<readonly string[]> {
  const search = searchOf();
  for (const _ of collect(value, 'none', search)) await pause();
  return [...search.found];
}

/**
 * Returns the text with `replacement` in place of everything that looks like a credential by its form alone.
 */
export function withoutOpaqueTexts(text: string, replacement: string): string {
  const kept: string[] = [];
  let end = 0;
  for (const { from, to } of runsIn(text)) {
    if (opaqueIn(text.slice(from, to)).length === 0) continue;
    kept.push(text.slice(end, from), replacement);
    end = to;
  }
  kept.push(text.slice(end));
  return kept.join('');
}

/** Returns true if the name of a variable or field indicates a secret. */
export function namesSecret(name: string): boolean {
  return weightOf(name) === 'secret';
}

type Weight = 'none' | 'doubtful' | 'secret';

interface Search {
  readonly found: Set<string>;
  /** Characters to search before the next pause. */
  left: number;
}

/**
 * Characters per slice of the search, and how many of them the next slice repeats: enough for a PEM block.
 */
const SLICE = 64 * 1024;
const OVERLAP = 24 * 1024;
/** The cost of a value in addition to its characters, mostly for checking its name. */
const VALUE_CHARACTERS = 64;

const searchOf = (): Search => ({ found: new Set(), left: SLICE });

/** Searches a value and yields after each slice. */
function* collect(value: unknown, weight: Weight, search: Search): Generator<void, void> {
  search.left -= VALUE_CHARACTERS;
  if (typeof value === 'string') {
    if (isNamedSecret(value, weight)) search.found.add(value);
    for (const slice of slicesOf(value)) {
      collectText(slice, search.found);
      search.left -= slice.length;
      if (search.left < 0) yield* pauseIn(search);
    }
  } else if (Array.isArray(value)) {
    for (const item of value) yield* collect(item, weight, search);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value))
      yield* collect(item, heavier(weight, weightOf(name)), search);
  }
  if (search.left < 0) yield* pauseIn(search);
}

function* pauseIn(search: Search): Generator<void, void> {
  search.left = SLICE;
  yield;
}

/** Splits a long text into overlapping parts, at a space if there is one. */
function* slicesOf(text: string): Generator<string, void> {
  for (let from = 0; from < text.length; from += SLICE) {
    const most = from + SLICE + OVERLAP;
    const space = most < text.length ? text.lastIndexOf(' ', most) : text.length;
    yield text.slice(from, space > from + SLICE ? space : most);
    if (most >= text.length) return;
  }
}

function heavier(one: Weight, other: Weight): Weight {
  if (one === 'secret' || other === 'secret') return 'secret';
  return one === 'doubtful' ? one : other;
}

function weightOf(name: string): Weight {
  if (/^(?:OLD)?PWD$/.test(name)) return 'none';
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);
  if (words.some((word) => SECRET_WORDS.has(word))) return 'secret';
  const pairs = words.map((word, index) => word + (words[index + 1] ?? ''));
  if (pairs.some((pair) => /^(?:api|access|private|secret|signing|encryption|service)keys?$/.test(pair)))
    return 'secret';
  return words.some((word) => DOUBTFUL_WORDS.has(word)) ? 'doubtful' : 'none';
}

function isNamedSecret(text: string, weight: Weight): boolean {
  if (weight === 'secret') return text.length >= MIN_NAMED_LENGTH;
  if (weight === 'none' || /\s/.test(text)) return false;
  return text.length >= MIN_DOUBTFUL_LENGTH || (text.length >= MIN_NAMED_LENGTH && /\d/.test(text));
}

function collectText(text: string, found: Set<string>): void {
  if (text.length < 8) return;
  for (const [, credential = ''] of text.matchAll(BEARER)) {
    if (/\d/.test(credential)) found.add(credential);
  }
  for (const [, password = ''] of text.matchAll(URL_PASSWORD)) {
    if (!PLACEHOLDER.test(password)) found.add(password);
  }
  for (const [block] of text.matchAll(PEM)) found.add(block);
  for (const [known] of text.matchAll(KNOWN)) found.add(known);
  for (const { from, to } of webTokensIn(text, 'eyJ')) {
    if (to - from >= MIN_WEB_TOKEN_LENGTH) found.add(text.slice(from, to));
  }
  for (const [, name = '', assigned = ''] of text.matchAll(ASSIGNMENT)) {
    if (weightOf(name) !== 'none' && /\d/.test(assigned)) found.add(assigned);
  }
  for (const { from, to } of runsIn(text)) {
    for (const opaque of opaqueIn(text.slice(from, to))) found.add(opaque);
  }
}

/**
 * Returns the ranges of 20 or more consecutive base64 characters. A regular expression takes ten times as
 * long.
 */
function runsIn(text: string): { readonly from: number; readonly to: number }[] {
  const runs: { readonly from: number; readonly to: number }[] = [];
  let from = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 0;
    if (code < BASE64.length && BASE64[code]! >= 0) continue;
    if (at - from >= MIN_OPAQUE_LENGTH) runs.push({ from, to: at });
    from = at + 1;
  }
  return runs;
}

/** Returns the run if it is opaque, or else its opaque parts. */
function opaqueIn(run: string): readonly string[] {
  if (isOpaque(run)) return [run];
  const parts = new Set([...run.split('/'), ...run.split(/[-_/]/)]);
  return [...parts].filter((part) => part.length < run.length && isOpaque(part));
}

function isOpaque(text: string): boolean {
  if (text.length < MIN_OPAQUE_LENGTH || UUID.test(text)) return false;
  if (!hasVariety(text)) return false;
  const hasDigit = /\d/.test(text);
  if (/^[0-9a-f]*$/i.test(text)) return hasDigit;
  const isMixed = /[a-z]/.test(text) && /[A-Z]/.test(text);
  // Only one in 30 million random base62 texts of 20 characters has no digit and a single case.
  if (!isMixed && !hasDigit) return false;
  return wordiness(text) < (isMixed ? WORDS_FROM : WORDS_OF_ONE_CASE_FROM);
}

function hasVariety(text: string): boolean {
  const seen = new Set<string>();
  for (const character of text) {
    seen.add(character);
    if (seen.size >= MIN_DIFFERENT_CHARACTERS) return true;
  }
  return false;
}

/**
 * How much more likely one character follows another in English and code than in random base64: bits plus 6,
 * from 0 to 9. Rows are the preceding character (each letter in either case, a digit, anything else), columns
 * the following one. Counted over 2,000 files of documentation and code. A capital after a lowercase letter
 * starts a word.
 */
const FOLLOWS = [
  ...['4677046060587706087954436112', '8643924278082182276383005335', '8151800850662090163960003013'],
  ...['7335924082052280057372005035', '7377475242176845588735374015', '8211881190060370075680005023'],
  ...['6211925780075772187763004116', '9202910090013270574770002003', '5566656000377985268805030502'],
  ...['6223901251430272219262502221', '6154934282241733038350302106', '8427961180181173037775107004'],
  ...['9701901071046378005262004016', '7188768161552575018864102004', '4657254052467957095675611003'],
  ...['8014902660072086086872003003', '1011202111192200144192313122', '8255945070345782077864106004'],
  ...['6172930670353376227972316005', '7051920880032175087670207015', '6664855060087826087820000001'],
  ...['9210903080112170012120121033', '8511723891240871177312421013', '7362733272002219031920024035'],
  ...['4542643050067859037600422326', '6233934281053383404432346736', '5555553222332223122332252387'],
  ...['6686775573466667377756512337'],
].map((row) => [...row].map((digit) => Number(digit) - 6));

const DIGIT = 26;
const OTHER = 27;
const NEW_WORD = -2;
/** Words score above this, and random texts of 20 characters about -50. */
const WORDS_FROM = 4;
/** The limit for texts of a single case: these are names with numbers in them, and few random texts. */
const WORDS_OF_ONE_CASE_FROM = -10;

function wordiness(text: string): number {
  let score = 0;
  let before = OTHER;
  let wasSmall = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const isSmall = code >= 97 && code <= 122;
    const isCapital = code >= 65 && code <= 90;
    const isDigit = code >= 48 && code <= 57;
    const symbol = isSmall ? code - 97 : isCapital ? code - 65 : isDigit ? DIGIT : OTHER;
    if (isCapital && wasSmall) {
      before = OTHER;
      score += NEW_WORD;
    }
    score += FOLLOWS[before]![symbol]!;
    before = symbol;
    wasSmall = isSmall;
  }
  return score;
}
