import { isatty } from 'node:tty';
import { readClientEnvironment } from '../../config/client-env.ts';

const CODES = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** How a text may stand out. */
export type Look = keyof typeof CODES;

/** Makes a text stand out, or leaves it as it is. */
export type Paint = (look: Look, text: string) => string;

/** Paints on a terminal, unless that is not wanted; elsewhere not. */
export function choosePaint(noColor: boolean): Paint {
  const paints = !noColor && !readClientEnvironment().noColor && isatty(1);
  return (look, text) => (paints && text !== '' ? `\u001b[${CODES[look]}m${text}\u001b[0m` : text);
}

/**
 * A text without control characters but line feeds and tabs, and without those that turn the direction of writing: what
 * a model wrote must not steer a terminal.
 */
export function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, '');
}

/** At most so many characters of a text on one line. */
export function preview(text: string, width: number): string {
  const line = harmless(text.slice(0, 4 * width))
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
