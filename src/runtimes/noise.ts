import type { JsonObject } from '../contract/events.ts';
import { clipStart, createTextTail } from '../lib/text/clip.ts';
import { fieldsOf } from './json.ts';

/** The maximum length of the noise that is kept: 4,096 UTF-16 units. */
export const NOISE_TAIL_LENGTH = 4096;

/** Counts the lines that are not part of a runtime's protocol, and keeps the end of them. */
export interface NoiseLog {
  add(line: string): void;
  /** Returns `{noise: {lines, tail}}`, or `{}` if there was no noise. */
  summary(): JsonObject;
}

/** Until redaction a tail is kept at this multiple of its length, so that its start cuts no secret. */
export const KEPT_FOR_REDACTION = 4;

/** Creates an empty log. `redact` defaults to no redaction. */
export function createNoiseLog(redact: (text: string) => string = (text) => text): NoiseLog {
  let lines = 0;
  const tail = createTextTail(KEPT_FOR_REDACTION * NOISE_TAIL_LENGTH);
  const shown = () => clipStart(redact(tail.text()), NOISE_TAIL_LENGTH);
  return {
    add(line) {
      if (lines > 0) tail.add('\n');
      tail.add(line);
      lines += 1;
    },
    summary: () => fieldsOf({ noise: lines > 0 ? { lines, tail: shown() } : undefined }),
  };
}
