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
