import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, numberOf, objectOf, stringOf } from '../json.ts';
import type { LineReader } from '../line-adapter.ts';
import type { RunRecorder } from '../recorder.ts';
import { createSseAdapter } from '../sse-adapter.ts';
import { createGooseMessages, SILENT_ERROR } from './messages.ts';

/** Creates an adapter for goosed's answers to `POST /reply` and `GET /sessions/{id}/events`. */
export function createGoosedAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createSseAdapter(createGoosedReader(options.sessionName), options);
}

function createGoosedReader(sessionName: string | undefined): LineReader {
  const messages = createGooseMessages();
  let finished = false;
  let usage: JsonObject = {};
  let pings = 0;

  return {
    describe: () => ({ runtime: 'goosed', ...fieldsOf({ sessionName }) }),
    read(type, line, run) {
      usage = usageOf(objectOf(line.token_state)) ?? usage;
      switch (type) {
        case 'Message':
          finished = false;
          messages.read(line, run);
          break;
        case 'Notification':
          readNotification(line, run);
          break;
        case 'Error':
          messages.fail({ outcome: 'failed', reason: 'error' });
          run.warn(stringOf(line.error) ?? SILENT_ERROR);
          break;
        case 'Finish':
          // The reason is always "stop"; any other comes from a version that this adapter does not know.
          finished = true;
          if (line.reason !== 'stop') messages.fail({ outcome: 'failed', reason: 'unknown_finish' });
          break;
        case 'ModelChange':
          run.notify('model_change', fieldsOf({ model: line.model, mode: line.mode }));
          break;
        case 'UpdateConversation':
          // The history was shortened: its contents were recorded before.
          run.notify('conversation_replaced', fieldsOf({ conversation: line.conversation }));
          break;
        case 'ActiveRequests':
          run.notify('active_requests', fieldsOf({ requestIds: line.request_ids }));
          break;
        case 'Ping':
          pings += 1;
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude: (run) => ({
      verdict: messages.conclude(finished, run),
      data: { ...usage, ...fieldsOf({ pings: pings || undefined }) },
    }),
  };
}

/** Returns `{usage}` of the whole session so far, or null if the line has none. */
function usageOf(tokens: JsonObject | null): JsonObject | null {
  const usage = fieldsOf({
    totalTokens: numberOf(tokens?.accumulatedTotalTokens) ?? numberOf(tokens?.totalTokens),
    inputTokens: numberOf(tokens?.accumulatedInputTokens) ?? numberOf(tokens?.inputTokens),
    outputTokens: numberOf(tokens?.accumulatedOutputTokens) ?? numberOf(tokens?.outputTokens),
  });
  return Object.keys(usage).length > 0 ? { usage } : null;
}

/** Reads a complete Model Context Protocol notification, which a tool's server sends while the tool runs. */
function readNotification(line: JsonObject, run: RunRecorder): void {
  const message = objectOf(line.message);
  const requestId = stringOf(line.request_id);
  const toolId = requestId !== undefined && run.tools.isOpen(requestId) ? requestId : undefined;
  if (message === null) run.notify('unknown_line', line);
  else run.notify('mcp_notification', { ...fieldsOf({ requestId }), ...message }, fieldsOf({ toolId }));
}
