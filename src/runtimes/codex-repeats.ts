import { createHash } from 'node:crypto';

const MAX_REMEMBERED = 64;

/**
 * Knows a message that Codex repeats because it had to ask the model again. The repeats come under new ids, so that
 * only the text tells, and only after a reconnection: at any other time the model may well say the same thing twice.
 */
export interface RepeatWatch {
  /** Takes in a message. True if it is one of those that were said before the connection broke. */
  isRepeat(text: string): boolean;
  reconnecting(): void;
  /** What was said before is settled: a tool ran, or a turn began or ended. */
  reset(): void;
}

/** A watch that has seen nothing. Remembers digests of at most 64 messages. */
export function createRepeatWatch(): RepeatWatch {
  let said: string[] = [];
  let expected: string[] = [];
  return {
    isRepeat(text) {
      const digest = createHash('sha256').update(text, 'utf16le').digest('base64');
      if (said.length < MAX_REMEMBERED) said.push(digest);
      const at = expected.indexOf(digest);
      // Each is expected once for each reconnection.
      if (at !== -1) expected.splice(at, 1);
      return at !== -1;
    },
    reconnecting() {
      // The last attempt may have broken before it had repeated everything: what is left is still to come.
      expected = [...said, ...expected].slice(0, MAX_REMEMBERED);
      said = [];
    },
    reset() {
      said = [];
      expected = [];
    },
  };
}
