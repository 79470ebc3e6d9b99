import type { JsonObject } from '../contract/events.ts';
import { clipStart, createTextTail } from '../lib/clip.ts';
import { fieldsOf } from './json.ts';

/** How much of what is not protocol is kept: 4,096 UTF-16 units. */
export const NOISE_TAIL_LENGTH = 4096;

/** What a runtime printed that is not of its protocol: counted, and the end of it kept. */
export interface NoiseLog {
  add(line: string): void;
  /** `{noise: {lines, tail}}`, or no field if there was none. */
  summary(): JsonObject;
}

/** Of a tail this many times as much is kept until it is redacted: then no secret is cut where the tail begins. */
export const KEPT_FOR_REDACTION = 4;

/** An empty log. */
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
