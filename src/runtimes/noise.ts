import type { JsonObject } from '../contract/events.ts';
import { clipStart } from '../lib/clip.ts';
import { fieldsOf } from './json.ts';

/** How much of what is not protocol is kept: 4,096 UTF-16 units. */
export const NOISE_TAIL_LENGTH = 4096;

/** What a runtime printed that is not of its protocol: counted, and the end of it kept. */
export interface NoiseLog {
  add(line: string): void;
  /** `{noise: {lines, tail}}`, or no field if there was none. */
  summary(): JsonObject;
}

/** An empty log. */
export function createNoiseLog(): NoiseLog {
  let lines = 0;
  let tail = '';
  return {
    add(line) {
      lines += 1;
      tail = clipStart(tail === '' ? line : `${tail}\n${line}`, NOISE_TAIL_LENGTH);
    },
    summary: () => fieldsOf({ noise: lines > 0 ? { lines, tail } : undefined }),
  };
}
