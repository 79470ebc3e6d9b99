import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf, listOf, objectOf, stringOf } from '../json.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createAnswerWatch } from './answer.ts';
import {
  type MessageContext,
  readMedia,
  readSystemNotification,
  readText,
  readThinking,
  readToolRequest,
  readToolResponse,
} from './content.ts';

/** The message of an error without one. */
export const SILENT_ERROR = 'Goose reported an error without a message';

/** Reads Goose's messages, which are the same in all its wire formats, and derives the outcome. */
export interface GooseMessages {
  /** Reads a line with a `message`. */
  read(line: JsonObject, run: RunRecorder): void;
  /** Records a failure that a line other than a message reports. The first failure counts. */
  fail(verdict: Verdict): void;
  /** Returns the outcome, or null if unknown. `completed` is true if Goose reported that it has finished. */
  conclude(completed: boolean, run: RunRecorder): Verdict | null;
}

/** Creates a reader that has read nothing. */
export function createGooseMessages(): GooseMessages {
  const answer = createAnswerWatch();
  let failure: Verdict | null = null;
  let lastInference = '';

  const fail = (verdict: Verdict): void => {
    failure ??= verdict;
  };

  const readItem = (item: JsonObject, message: MessageContext, run: RunRecorder): void => {
    const { origin, role } = message;
    if (item.type !== 'text' || role !== 'assistant') answer.interrupt();
    switch (item.type) {
      case 'text': {
        const said = readText(item, message, run);
        if (said !== null) answer.text(stringOf(origin.messageId), said);
        break;
      }
      case 'thinking':
      case 'redactedThinking':
        readThinking(item, message, run);
        break;
      case 'toolRequest':
        answer.toolRequest();
        readToolRequest(item, message, run);
        break;
      case 'toolResponse':
        readToolResponse(item, message, run);
        break;
      case 'toolConfirmationRequest':
        run.notify('tool_confirmation_request', item, origin);
        break;
      case 'frontendToolRequest':
        run.notify('frontend_tool_request', item, origin);
        break;
      case 'actionRequired':
        run.notify('action_required', item, origin);
        break;
      case 'systemNotification':
        // Without credits Goose stops, and then reports success.
        if (item.notificationType === 'creditsExhausted')
          fail({ outcome: 'failed', reason: 'credits_exhausted' });
        readSystemNotification(item, message, run);
        break;
      case 'image':
      case 'document':
        readMedia(item.type, item, message, run);
        break;
      case 'error':
        fail({ outcome: 'failed', reason: 'provider_error' });
        run.warn(stringOf(item.message) ?? SILENT_ERROR, {
          ...fieldsOf({ errorType: stringOf(item.kind) }),
          ...origin,
        });
        break;
      default:
        run.notify('unknown_content', item, origin);
    }
  };

  const read = (line: JsonObject, run: RunRecorder): void => {
    const message = objectOf(line.message);
    const content = listOf(message?.content);
    if (message === null || content === null) {
      run.notify('unknown_line', line);
      return;
    }
    const role = message.role;
    const metadata = objectOf(message.metadata);
    const inference = objectOf(metadata?.inference);
    if (inference !== null) {
      const { provider, requestedModel } = inference;
      const named = JSON.stringify([stringOf(provider), stringOf(requestedModel)]);
      if (named !== lastInference) run.notify('inference', inference);
      lastInference = named;
    }
    const context: MessageContext = {
      role: role === 'assistant' || role === 'user' ? role : 'other',
      origin: fieldsOf({ messageId: stringOf(message.id) }),
      visible: metadata?.userVisible !== false,
    };
    for (const value of content) {
      const item = objectOf(value);
      if (item === null) run.notify('unknown_content', { item: value }, context.origin);
      else readItem(item, context, run);
    }
    if (content.length === 0) run.notify('empty_message', { role: context.role }, context.origin);
  };

  return {
    read,
    fail,
    conclude(completed, run) {
      const confessed = answer.confession();
      if (confessed?.verdict.outcome === 'failed') run.blame(confessed.text);
      return failure ?? concluded(confessed?.verdict ?? null, completed);
    },
  };
}

/** The turn limit counts only once Goose has finished; a failure in the text counts at any time. */
function concluded(confessed: Verdict | null, completed: boolean): Verdict | null {
  if (confessed?.outcome === 'failed') return confessed;
  if (!completed) return null;
  return confessed ?? { outcome: 'completed', reason: 'complete' };
}
