import { harmlessLine } from './harmless.ts';

/** Prints a message to standard error, as one line that begins with `runfeed:`. */
export function tell(text: string): void {
  process.stderr.write(`runfeed: ${harmlessLine(text)}\n`);
}
