import type { Decoders } from './encodings.ts';
import type { EscapeDialect } from './escapes.ts';
import { mayContain, type Range } from './match-stream.ts';
import { type ColumnReading, type ControlReading, type Overstrikes, skipSequence } from './terminal-text.ts';

const ESC = 0x1b;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;

/**
 * One time through a part of the bytes. The first one, and those through the text of terminal commands, read
 * everything as usual. Each other one reads one thing in another way; they do not combine.
 */
export type Pass =
  | (Range & { readonly kind: 'whole' | 'command' })
  | (Range & { readonly kind: 'controls'; readonly controls: ControlReading })
  | (Range & { readonly kind: 'escapes'; readonly dialect: EscapeDialect })
  | BackspacePass;

type BackspacePass = Range & { readonly kind: 'backspaces'; readonly backspaces: BackspaceReading };

/** How to read backspaces. The characters that they lead others to are skipped. */
interface BackspaceReading {
  /** An underscore underlines the character in its place. Otherwise it overstrikes that character. */
  readonly underlines: boolean;
  readonly columns: ColumnReading;
}

/** What can be read in another way somewhere, and in which ways. The first pass collects it. */
export interface Ambiguities {
  readonly controls: Set<ControlReading>;
  readonly dialects: Set<EscapeDialect>;
  hasBackspaces: boolean;
}

export function noAmbiguities(): Ambiguities {
  return { controls: new Set(), dialects: new Set(), hasBackspaces: false };
}

/** Returns the passes that read this range in the other ways. */
export function passesFor(ambiguities: Ambiguities, { from, to }: Range): Pass[] {
  const passes: Pass[] = [];
  for (const controls of ambiguities.controls) passes.push({ kind: 'controls', controls, from, to });
  for (const dialect of ambiguities.dialects) passes.push({ kind: 'escapes', dialect, from, to });
  const backspaces: BackspaceReading = { underlines: true, columns: 'display' };
  if (ambiguities.hasBackspaces) passes.push({ kind: 'backspaces', backspaces, from, to });
  return passes;
}

/** Returns the passes in which the backspaces of this one hide other characters. */
export function furtherBackspaces(pass: BackspacePass, { isUnderlined, isUneven }: Overstrikes): Pass[] {
  const { underlines, columns } = pass.backspaces;
  const passes: Pass[] = [];
  if (underlines && isUnderlined) passes.push({ ...pass, backspaces: { underlines: false, columns } });
  if (underlines && isUneven) passes.push({ ...pass, backspaces: { underlines, columns: 'characters' } });
  return passes;
}

/**
 * Notes the readings in which the terminal sequence or control at `from` does not end at `next`, as it usually
 * does. Colors and links are too common: they count only if a match may contain part of one.
 */
export function noteControl(
  ambiguities: Ambiguities,
  decoders: Decoders,
  { bytes, stop }: { readonly bytes: Uint8Array; readonly stop: number },
  from: number,
  next: number,
): void {
  const others = ambiguities.controls;
  const isEscape = bytes[from] === ESC;
  const kind = isEscape && from + 1 < stop ? bytes[from + 1] : 0;
  // A color, or the like.
  if (kind === OPENING_BRACKET && next > from + 2 && bytes[next - 1]! >= 0x40) {
    if (matters(decoders, bytes, from + 2, next)) others.add('pairs');
    if (matters(decoders, bytes, from + 1, next)) others.add('bare');
    return;
  }
  const endIn = (reading: ControlReading) => skipSequence(bytes, from, stop, reading, () => {});
  const alone = endIn('alone');
  if (alone !== next) others.add('alone');
  if (endIn('long') !== next) others.add('long');
  if (!isEscape) return;
  // A link or a title. The rest of its text is searched anyway.
  const isLink = kind === CLOSING_BRACKET;
  if (endIn('pairs') !== next && (!isLink || matters(decoders, bytes, from + 2, Math.min(stop, from + 3))))
    others.add('pairs');
  if (alone !== from + 1 && (!isLink || matters(decoders, bytes, from + 1, from + 2))) others.add('bare');
}

/** Returns true if a match may contain these bytes and those before or after them. */
function matters(
  { plain, escaped, percent }: Decoders,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  const { state } = plain;
  return (
    mayContain(plain, bytes, from, to) ||
    (escaped.state !== state && mayContain(escaped, bytes, from, to)) ||
    (percent.stream.state !== state && mayContain(percent.stream, bytes, from, to))
  );
}
