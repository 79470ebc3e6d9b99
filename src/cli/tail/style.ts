import { isatty } from 'node:tty';
import { readClientEnvironment } from '../../config/client-env.ts';

const CODES = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A text style. */
export type Look = keyof typeof CODES;

/** Applies a style to a text, or returns the text unchanged where styles are off. */
export type Paint = (look: Look, text: string) => string;

/** Styles are on if standard output is a terminal and neither `noColor` nor NO_COLOR is set. */
export function choosePaint(noColor: boolean): Paint {
  const paints = !noColor && !readClientEnvironment().noColor && isatty(1);
  return (look, text) => (paints && text !== '' ? `\u001b[${CODES[look]}m${text}\u001b[0m` : text);
}

/**
 * Removes control characters except line feeds and tabs, and characters that change the writing direction:
 * model output must not control a terminal.
 */
export function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, '');
}

/** Shortens a text to one line of at most `width` characters. */
export function preview(text: string, width: number): string {
  const line = harmless(text.slice(0, 4 * width))
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
