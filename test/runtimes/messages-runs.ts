import type { RunnerEvent } from '../../src/contract/events.ts';
import {
  type AnthropicMessagesAdapter,
  type AnthropicMessagesOptions,
  createAnthropicMessagesAdapter,
} from '../../src/runtimes/anthropic/messages.ts';
import { type Fields, framesOf, textOf } from './adapters.ts';

/** Returns all events of a run of these frames, with the clock fixed at 1,000. */
export function runOf(lines: readonly Fields[], options: AnthropicMessagesOptions = {}): RunnerEvent[] {
  const adapter = createAnthropicMessagesAdapter({ now: () => 1000, ...options });
  return [...push(adapter, lines), ...adapter.end()];
}

/** Returns the events that these frames complete. */
export function push(adapter: AnthropicMessagesAdapter, lines: readonly Fields[]): RunnerEvent[] {
  return adapter.push(framesOf(lines.map(textOf)));
}

/** Returns the data of the terminal. */
export function terminalOf(lines: readonly Fields[], options?: AnthropicMessagesOptions) {
  return runOf(lines, options).at(-1)?.data;
}
