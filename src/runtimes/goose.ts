import type { JsonObject } from '../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { createAnswerWatch } from './goose-answer.ts';
import { createBanner } from './goose-banner.ts';
import {
  type MessageContext,
  readMedia,
  readSystemNotification,
  readText,
  readThinking,
  readToolRequest,
  readToolResponse,
} from './goose-content.ts';
import { fieldsOf, listOf, numberOf, objectOf, stringOf } from './json.ts';
import { createLineAdapter, type LineReader } from './line-adapter.ts';
import type { Verdict } from './outcome.ts';
import type { RunRecorder } from './recorder.ts';

const INTERRUPTED = 'Headless run interrupted';
const SILENT_ERROR = 'Goose reported an error without a message';

/**
 * An adapter for what `goose run --output-format stream-json` prints. Run it with `GOOSE_MODE=auto`: in the approving
 * modes Goose leaves at the first tool call without a word on this wire.
 */
export function createGooseAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createLineAdapter(createGooseReader(options.sessionName), options);
}

function createGooseReader(sessionName: string | undefined): LineReader {
  const banner = createBanner();
  const answer = createAnswerWatch();
  let failure: Verdict | null = null;
  let completed = false;
  let totals: JsonObject = {};
  let lastInference = '';

  const fail = (reason: string): void => {
    failure ??= { outcome: 'failed', reason };
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
        // Goose gives up when it is out of credits, and then reports success.
        if (item.notificationType === 'creditsExhausted') fail('credits_exhausted');
        readSystemNotification(item, message, run);
        break;
      case 'image':
      case 'document':
        readMedia(item.type, item, message, run);
        break;
      case 'error':
        fail('provider_error');
        run.warn(stringOf(item.message) ?? SILENT_ERROR, {
          ...fieldsOf({ errorType: stringOf(item.kind) }),
          ...origin,
        });
        break;
      default:
        run.notify('unknown_content', item, origin);
    }
  };

  const readMessage = (line: JsonObject, run: RunRecorder): void => {
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

  const readComplete = (line: JsonObject): void => {
    completed = true;
    const usage = fieldsOf({
      totalTokens: numberOf(line.total_tokens),
      inputTokens: numberOf(line.input_tokens),
      outputTokens: numberOf(line.output_tokens),
      cacheReadInputTokens: numberOf(line.cache_read_input_tokens),
      cacheWriteInputTokens: numberOf(line.cache_write_input_tokens),
    });
    totals = fieldsOf({
      usage: Object.keys(usage).length > 0 ? usage : undefined,
      costUsd: numberOf(line.cost_usd),
    });
  };

  return {
    overhear: banner.overhear,
    describe: () => ({
      runtime: 'goose',
      ...fieldsOf({ sessionName }),
      ...banner.facts(),
    }),
    read(type, line, run) {
      switch (type) {
        case 'message':
          readMessage(line, run);
          break;
        case 'notification':
          readNotification(line, run);
          break;
        case 'complete':
          readComplete(line);
          break;
        case 'error': {
          const message = stringOf(line.error) ?? SILENT_ERROR;
          if (message.startsWith(INTERRUPTED)) failure = { outcome: 'cancelled', reason: 'interrupted' };
          else fail('error');
          run.warn(message);
          break;
        }
        case 'model_change':
          run.notify('model_change', fieldsOf({ model: line.model, mode: line.mode }));
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude(run) {
      const confessed = answer.confession();
      if (confessed?.verdict.outcome === 'failed') run.blame(confessed.text);
      const verdict = failure ?? concluded(confessed?.verdict ?? null, completed);
      return { verdict, data: totals };
    },
  };
}

/** The turn limit only counts once Goose has finished; a failure that it told in words counts at any time. */
function concluded(confessed: Verdict | null, completed: boolean): Verdict | null {
  if (confessed?.outcome === 'failed') return confessed;
  if (!completed) return null;
  return confessed ?? { outcome: 'completed', reason: 'complete' };
}

/** What an extension says while its tool runs. The wire's `extension_id` is in practice the tool call's id. */
function readNotification(line: JsonObject, run: RunRecorder): void {
  const extensionId = stringOf(line.extension_id);
  const tool = fieldsOf({
    toolId: extensionId !== undefined && run.tools.isOpen(extensionId) ? extensionId : undefined,
  });
  const log = objectOf(line.log);
  const progress = objectOf(line.progress);
  if (log !== null && progress === null) run.notify('log', { ...fieldsOf({ extensionId }), ...log }, tool);
  else if (progress !== null && log === null)
    run.notify('progress', { ...fieldsOf({ extensionId }), ...progress }, tool);
  else run.notify('unknown_line', line, tool);
}
