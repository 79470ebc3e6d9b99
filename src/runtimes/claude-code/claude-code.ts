import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, objectOf, payloadOf, stringOf } from '../json.ts';
import { createLineAdapter, type LineReader } from '../line-adapter.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createMessageReader } from './messages.ts';
import { createPartialMessages } from './partials.ts';
import { blameResult, totalsOf, verdictOf } from './result.ts';
import { readSystem } from './system.ts';

/**
 * Creates an adapter for the output of `claude -p --output-format stream-json --verbose`, with or without
 * `--include-partial-messages`.
 */
export function createClaudeCodeAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createLineAdapter(createClaudeCodeReader(options.sessionName), options);
}

function createClaudeCodeReader(sessionName: string | undefined): LineReader {
  const partials = createPartialMessages();
  const messages = createMessageReader(partials);
  // The verdict on the current or last turn: with streamed input each turn has its own result.
  let verdict: Verdict | null = null;
  let totals: JsonObject = {};
  let keepAlives = 0;

  return {
    describe: (first) => ({ runtime: 'claude-code', ...fieldsOf({ sessionName }), ...startOf(first) }),
    // Hooks run before the session has started.
    precedesStart: (type, line) => type === 'system' && (stringOf(line.subtype) ?? '').startsWith('hook_'),
    read(type, line, run) {
      switch (type) {
        case 'system':
          if (line.subtype === 'init') verdict = null;
          readSystem(line, messages, run);
          break;
        case 'assistant':
          messages.readAssistant(line, run);
          break;
        case 'user':
          messages.readUser(line, run);
          break;
        case 'stream_event':
          partials.read(line, run);
          break;
        case 'result':
          verdict = verdictOf(line);
          totals = totalsOf(line);
          blameResult(line, verdict, run);
          run.notify('result', payloadOf(line));
          break;
        case 'rate_limit_event':
          readRateLimit(line, run);
          break;
        case 'auth_status':
          readAuthStatus(line, run);
          break;
        case 'control_request':
          // The CLI waits for an answer on its standard input.
          run.notify('waiting', payloadOf(line));
          break;
        case 'keep_alive':
          keepAlives += 1;
          break;
        case 'tool_progress':
        case 'tool_use_summary':
        case 'prompt_suggestion':
        case 'conversation_reset':
        case 'control_response':
        case 'control_cancel_request':
          run.notify(type, payloadOf(line), fieldsOf({ toolId: stringOf(line.tool_use_id) }));
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude: () => ({
      verdict,
      data: { ...totals, ...fieldsOf({ keepAlives: keepAlives > 0 ? keepAlives : undefined }) },
    }),
  };
}

/** Returns the session's facts from its first line. The `init` notification lists the tools and skills. */
function startOf(line: JsonObject | null): JsonObject {
  return fieldsOf({
    sessionId: stringOf(line?.session_id),
    model: stringOf(line?.model),
    directory: stringOf(line?.cwd),
    version: stringOf(line?.claude_code_version),
    permissionMode: stringOf(line?.permissionMode),
  });
}

function readRateLimit(line: JsonObject, run: RunRecorder): void {
  if (objectOf(line.rate_limit_info)?.status === 'rejected') {
    run.warn('The rate limit is reached', { errorType: 'rate_limit', details: payloadOf(line) });
  } else {
    run.notify('rate_limit_event', payloadOf(line));
  }
}

function readAuthStatus(line: JsonObject, run: RunRecorder): void {
  const error = stringOf(line.error);
  if (error === undefined) run.notify('auth_status', payloadOf(line));
  else run.warn(error, { errorType: 'authentication_failed' });
}
