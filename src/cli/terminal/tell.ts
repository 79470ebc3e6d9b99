import { harmlessLine } from './harmless.ts';
import { createLineWriter, type LineWriter } from './line-writer.ts';

let errors: LineWriter | null = null;

/**
 * Prints a message to standard error, as one line that begins with `runfeed:`. A message that cannot be printed
 * is dropped: no command ends or waits because of it.
 */
export function tell(text: string): void {
  errors ??= createLineWriter(2);
  errors.write(`runfeed: ${harmlessLine(text)}\n`);
}
