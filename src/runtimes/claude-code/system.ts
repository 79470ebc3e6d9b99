import type { JsonObject } from '../../contract/events.ts';
import { fieldsOf, numberOf, stringOf } from '../json.ts';
import type { RunRecorder } from '../recorder.ts';
import type { MessageReader } from './messages.ts';

/** The subtypes that become notifications of the same name. */
const KNOWN = new Set([
  ...['init', 'status', 'compact_boundary', 'hook_started', 'hook_progress', 'hook_response'],
  ...['task_started', 'task_progress', 'task_updated', 'task_notification', 'background_tasks_changed'],
  ...['thinking_tokens', 'session_state_changed', 'notification', 'informational', 'local_command_output'],
  ...['commands_changed', 'plugin_install', 'memory_recall', 'elicitation_complete', 'mirror_error'],
  ...['control_request_progress', 'worker_shutting_down', 'session_writes_lost', 'permission_denied'],
  ...['model_refusal_fallback', 'model_refusal_no_fallback', 'files_persisted'],
]);

/** Reads a `system` line: an error if the CLI retries a request, otherwise a notification. */
export function readSystem(line: JsonObject, messages: MessageReader, run: RunRecorder): void {
  const { type: _, subtype: __, ...payload } = line;
  const subtype = stringOf(line.subtype) ?? '';
  if (subtype === 'api_retry') readRetry(line, run);
  else if (KNOWN.has(subtype)) run.notify(subtype, payload, fieldsOf({ toolId: stringOf(line.tool_use_id) }));
  else run.notify('unknown_line', line);
  messages.retract(line.retracted_message_uuids, run);
}

function readRetry(line: JsonObject, run: RunRecorder): void {
  const errorType = stringOf(line.error);
  const attempt = numberOf(line.attempt);
  const maxAttempts = numberOf(line.max_retries);
  run.warn(`Request failed (${errorType ?? 'unknown'}), retry ${attempt ?? '?'} of ${maxAttempts ?? '?'}`, {
    ...fieldsOf({ errorType, attempt, maxAttempts }),
    ...fieldsOf({ delayMs: numberOf(line.retry_delay_ms), status: numberOf(line.error_status) }),
    retrying: true,
  });
}
