import { clipEnd, createTextTail, type TextTail } from '../../lib/text/clip.ts';
import type { Verdict } from '../outcome.ts';

// Goose reports these as text of the assistant and then reports success, so only the words reveal them.
const PROVIDER_ERROR_START = 'Ran into this error: ';
const PROVIDER_ERROR_END = 'Please retry if you think this is a transient or recoverable error.';
const NETWORK_ERROR_END = 'Please resend your message to try again.';
const TURN_LIMIT_START = "I've reached the maximum number of actions I can do without user input";

const HEAD_LENGTH = 600;
const TAIL_LENGTH = 100;

/** Watches the assistant's last message for failures that only its words reveal. */
export interface AnswerWatch {
  /** Adds a visible piece of text from the message with this id (Goose may omit the id). */
  text(messageId: string | undefined, text: string): void;
  /** Reports an item that is not assistant text: it separates messages whose pieces have no ids. */
  interrupt(): void;
  /** Reports a tool request: the text before it is not the last message. */
  toolRequest(): void;
  /** Returns the failure that the complete last message reveals; null for an ordinary answer. */
  confession(): { readonly verdict: Verdict; readonly text: string } | null;
}

/** Creates a watch without a message. It keeps only the beginning and the end of the message. */
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
    // An error within pieces without ids is a separate message, and always arrives in one piece.
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
