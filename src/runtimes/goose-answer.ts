import { clipEnd, createTextTail, type TextTail } from '../lib/clip.ts';
import type { Verdict } from './outcome.ts';

// Goose says these things in the assistant's voice and then reports success, so that only the words tell.
const PROVIDER_ERROR_START = 'Ran into this error: ';
const PROVIDER_ERROR_END = 'Please retry if you think this is a transient or recoverable error.';
const NETWORK_ERROR_END = 'Please resend your message to try again.';
const TURN_LIMIT_START = "I've reached the maximum number of actions I can do without user input";

const HEAD_LENGTH = 600;
const TAIL_LENGTH = 100;

/** Watches the last message of the assistant for what only its words give away. */
export interface AnswerWatch {
  /** A visible piece of text of the message with this id (Goose may leave the id out). */
  text(messageId: string | undefined, text: string): void;
  /** Something other than assistant text came: pieces without an id on both sides of it are two messages. */
  interrupt(): void;
  /** The assistant asked for a tool, so what it said before was not its last word. */
  toolRequest(): void;
  /** What the last message, taken as a whole, confesses; null for an ordinary answer. */
  confession(): { readonly verdict: Verdict; readonly text: string } | null;
}

/** A watch that has seen nothing. Keeps only the ends of the message, never all of it. */
export function createAnswerWatch(): AnswerWatch {
  let current: {
    messageId: string | undefined;
    head: string;
    tail: TextTail;
  } | null = null;
  let interrupted = false;

  const continues = (messageId: string | undefined, text: string): boolean => {
    if (current === null || current.messageId !== messageId) return false;
    if (messageId !== undefined) return true;
    // An error that breaks off a stream of pieces without ids is a message of its own; it always comes in one piece.
    const isWholeError = text.startsWith(PROVIDER_ERROR_START) && text.endsWith(PROVIDER_ERROR_END);
    return !interrupted && !isWholeError;
  };

  return {
    text(messageId, text) {
      if (text === '') return;
      if (current === null || !continues(messageId, text))
        current = { messageId, head: '', tail: createTextTail(TAIL_LENGTH) };
      interrupted = false;
      if (current.head.length < HEAD_LENGTH) current.head = clipEnd(current.head + text, HEAD_LENGTH);
      current.tail.add(text);
    },
    interrupt() {
      interrupted = true;
    },
    toolRequest() {
      current = null;
    },
    confession() {
      if (current === null) return null;
      const { head, tail } = current;
      if (head.startsWith(PROVIDER_ERROR_START) || tail.text().endsWith(NETWORK_ERROR_END)) {
        return {
          verdict: { outcome: 'failed', reason: 'provider_error' },
          text: head,
        };
      }
      if (head.startsWith(TURN_LIMIT_START)) {
        return {
          verdict: { outcome: 'limit', reason: 'turn_limit' },
          text: head,
        };
      }
      return null;
    },
  };
}
