import { BASE64, HEX } from '../text/digits.ts';
import { createStream, feed, type MatchStream, restart } from './match-stream.ts';
import type { Matcher } from './matcher.ts';

const PERCENT = 0x25;
const HYPHEN = 0x2d;
const COLON = 0x3a;

/** The streams of what a text means in every encoding, and what their decoders have read so far. */
export interface Decoders {
  /** The text as it is. */
  readonly plain: MatchStream;
  /** The text with backslash escapes resolved, which the other encodings build on. */
  readonly escaped: MatchStream;
  readonly percent: PercentDecoder;
  readonly base64: Base64Decoder;
  readonly hex: HexDecoder;
  /** All streams of these. */
  readonly streams: readonly MatchStream[];
}

interface PercentDecoder {
  readonly stream: MatchStream;
  /** The source, for what turns out not to be an escape. */
  readonly bytes: Uint8Array;
  /** Where the escape begins that is being read. -1: none is. */
  from: number;
  /** Its first digit. -1: not read yet. */
  digit: number;
  digitFrom: number;
}

interface Base64Decoder {
  /** One for each of the first four digits, with which a group of four may begin. */
  readonly streams: readonly [MatchStream, MatchStream, MatchStream, MatchStream];
  /** The latest digit. -1: the latest byte is none. */
  digit: number;
  digitFrom: number;
  /** The digits read in a row. */
  count: number;
}

interface HexDecoder {
  /** One for the first and one for the second digit, with which a pair may begin. */
  readonly streams: readonly [MatchStream, MatchStream];
  /** The latest digit. -1: other bytes than colons and hyphens followed it. */
  digit: number;
  digitFrom: number;
  count: number;
}

/** Creates decoders for parts of `bytes`, with one stream for each way to decode them. */
export function createDecoders(bytes: Uint8Array, matcher: Matcher): Decoders {
  const stream = () => createStream(matcher);
  const plain = stream();
  const escaped = stream();
  const percent: PercentDecoder = { stream: stream(), bytes, from: -1, digit: -1, digitFrom: 0 };
  const base64: Base64Decoder = {
    streams: [stream(), stream(), stream(), stream()],
    digit: -1,
    digitFrom: 0,
    count: 0,
  };
  const hex: HexDecoder = { streams: [stream(), stream()], digit: -1, digitFrom: 0, count: 0 };
  const streams = [plain, escaped, percent.stream, ...base64.streams, ...hex.streams];
  return { plain, escaped, percent, base64, hex, streams };
}

/** Continues all streams that build on resolved escapes with a byte that was written in this range. */
export function feedResolved(decoders: Decoders, byte: number, from: number, to: number): void {
  feed(decoders.escaped, byte, from, to);
  feedPercent(decoders.percent, byte, from, to);
  feedBase64(decoders.base64, byte, from, to);
  feedHex(decoders.hex, byte, from, to);
}

function feedPercent(decoder: PercentDecoder, byte: number, from: number, to: number): void {
  if (decoder.from >= 0) {
    const value = HEX[byte]!;
    if (value >= 0 && decoder.digit < 0) {
      decoder.digit = value;
      decoder.digitFrom = from;
      return;
    }
    endPercent(decoder, value, to);
    if (value >= 0) return;
  }
  if (byte === PERCENT) decoder.from = from;
  else feed(decoder.stream, byte, from, to);
}

/** Ends an escape with its second digit, or, if that is none, with the bytes held back as they are. */
function endPercent(decoder: PercentDecoder, value: number, to: number): void {
  const { stream, bytes, from, digit, digitFrom } = decoder;
  decoder.from = -1;
  decoder.digit = -1;
  if (value >= 0) {
    feed(stream, (digit << 4) | value, from, to);
    return;
  }
  feed(stream, PERCENT, from, from + 1);
  if (digit >= 0) feed(stream, bytes[digitFrom]!, digitFrom, digitFrom + 1);
}

function feedBase64(decoder: Base64Decoder, byte: number, from: number, to: number): void {
  const value = BASE64[byte]!;
  const { streams, digit, digitFrom, count } = decoder;
  if (value < 0) {
    if (digit >= 0) for (const stream of streams) restart(stream);
    decoder.digit = -1;
    decoder.count = 0;
    return;
  }
  if (digit >= 0) {
    // Two adjacent characters contain a whole byte in three of the four ways to group characters.
    feed(streams[(count - 1) & 3]!, ((digit << 2) | (value >> 4)) & 255, digitFrom, to);
    feed(streams[(count - 2) & 3]!, ((digit << 4) | (value >> 2)) & 255, digitFrom, to);
    feed(streams[(count - 3) & 3]!, ((digit << 6) | value) & 255, digitFrom, to);
  }
  decoder.digit = value;
  decoder.digitFrom = from;
  decoder.count += 1;
}

function feedHex(decoder: HexDecoder, byte: number, from: number, to: number): void {
  const value = HEX[byte]!;
  if (value < 0) {
    // Between bytes, as in fingerprints.
    if (byte === COLON || byte === HYPHEN) return;
    if (decoder.digit >= 0) for (const stream of decoder.streams) restart(stream);
    decoder.digit = -1;
    return;
  }
  const { streams, digit, digitFrom, count } = decoder;
  if (digit >= 0) feed(streams[count & 1]!, (digit << 4) | value, digitFrom, to);
  decoder.digit = value;
  decoder.digitFrom = from;
  decoder.count += 1;
}

/** Resets all decoders, as at the beginning of a text. */
export function restartAll({ streams, percent, base64, hex }: Decoders): void {
  for (const stream of streams) restart(stream);
  percent.from = -1;
  percent.digit = -1;
  base64.digit = -1;
  hex.digit = -1;
}
