import type { RunnerEvent } from '../../src/contract/events.ts';
import { createAnthropicSessionsAdapter } from '../../src/runtimes/anthropic/sessions.ts';
import { asks, event, fails, idle, message, returns, running } from '../runtimes/sessions-frames.ts';
import { sse } from '../support/fake-anthropic.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Adds ids to events, as the provider does. */
export function named(events: readonly Fields[]): Fields[] {
  return events.map((each, index) => ({ id: `sevt_${index}`, ...each }));
}

/** A turn with tools, and with a pause in which its host answers. */
export const TURN = named([
  event('user.message', { content: [{ type: 'document', source: { type: 'file', file_id: 'f1' } }] }),
  running(),
  event('agent.thinking'),
  asks('tool_1', 'bash', { command: 'ls' }),
  fails('hold on', 'retrying'),
  returns('tool_1', 'a file'),
  message('m1', 'one', 'two'),
  event('agent.custom_tool_use', { id: 'tool_2', name: 'mine', input: {} }),
  idle('requires_action', { event_ids: ['tool_2'] }),
  event('user.custom_tool_result', { custom_tool_use_id: 'tool_2', content: [] }),
  running(),
  event('span.model_request_end', { model_usage: { input_tokens: 3, output_tokens: 4 } }),
  message('m2', 'done'),
  idle('end_turn'),
]);

/** Returns what the adapter makes of a session if it gets its events directly. */
export function adapted(events: readonly Fields[], session: unknown = {}): RunnerEvent[] {
  const adapter = createAnthropicSessionsAdapter({ session });
  return [...adapter.push(sse(...events)), ...adapter.end()];
}
