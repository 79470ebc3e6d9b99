/** Control characters except line feeds and tabs, and characters that change the writing direction. */
const HARMFUL = /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu;

/** A change of color, in the two notations of its first character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
const COLOR = /(?:\u001b\[|\u009b)[\d;:]*m/g;

/**
 * Returns a text from outside, such as a server's message or a job's output, without what could control a
 * terminal. Everything from outside that is printed passes through here, or through a function of this file.
 */
export function harmless(text: string): string {
  return text.replace(COLOR, '').replace(HARMFUL, '');
}

/** Returns a harmless text as one line. */
export function harmlessLine(text: string): string {
  return harmless(text.replace(/\s+/g, ' ')).trim();
}

/** Returns a value as one line of JSON that is harmless and still means the same. */
export function harmlessJson(value: unknown): string {
  // Outside of its texts, JSON has none of these characters.
  return JSON.stringify(value).replace(
    HARMFUL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Shortens a text to one harmless line of at most `width` characters. */
export function preview(text: string, width: number): string {
  const line = harmlessLine(text.slice(0, 4 * width));
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
