import { createHash } from 'node:crypto';

const MAX_REMEMBERED = 64;

/**
 * Recognizes a message that Codex repeats because it had to request the model's answer again. Repeats have
 * new ids, so they are recognized by their text, and only after a reconnection: at other times the model may
 * say the same twice.
 */
export interface RepeatWatch {
  /** Adds a message. Returns true if the message was already sent before the connection broke. */
  isRepeat(text: string): boolean;
  reconnecting(): void;
  /** Forgets all messages, because none of them can repeat: a tool ran, or a turn began or ended. */
  reset(): void;
}

/** Creates a watch without messages. It remembers digests of at most 64 messages. */
export function createRepeatWatch(): RepeatWatch {
  let said: string[] = [];
  let expected: string[] = [];
  return {
    isRepeat(text) {
      const digest = createHash('sha256').update(text, 'utf16le').digest('base64');
      if (said.length < MAX_REMEMBERED) said.push(digest);
      const at = expected.indexOf(digest);
      // Each message is expected once per reconnection.
      if (at !== -1) expected.splice(at, 1);
      return at !== -1;
    },
    reconnecting() {
      // The last attempt may have broken before it had repeated all messages: the rest are still expected.
      expected = [...said, ...expected].slice(0, MAX_REMEMBERED);
      said = [];
    },
    reset() {
      said = [];
      expected = [];
    },
  };
}
