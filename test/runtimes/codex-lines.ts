import { createCodexAdapter } from '../../src/runtimes/codex/codex.ts';
import { type Fields, playerOf } from './player.ts';

export const codex = playerOf(createCodexAdapter);

export const THREAD = { type: 'thread.started', thread_id: 't1' };
export const TURN = { type: 'turn.started' };
export const DONE = { type: 'turn.completed', usage: { input_tokens: 1, output_tokens: 2 } };

export const item = (phase: string, id: string, type: string, more: Fields = {}) => ({
  type: `item.${phase}`,
  item: { id, type, ...more },
});
export const started = (id: string, type: string, more?: Fields) => item('started', id, type, more);
export const completed = (id: string, type: string, more?: Fields) => item('completed', id, type, more);
export const says = (words: string, id = 'item_0') => completed(id, 'agent_message', { text: words });
export const reconnecting = (attempt: number) => ({
  type: 'error',
  message: `Reconnecting... ${attempt}/5 (busy)`,
});
export const failed = (message: string) => ({ type: 'turn.failed', error: { message } });

/** Lines of every type. */
export const SAMPLES: readonly Fields[] = [
  THREAD,
  TURN,
  says('Hello'),
  completed('item_1', 'reasoning', { text: 'hm' }),
  reconnecting(1),
  started('a', 'command_execution', {
    command: 'cat /skills/x/SKILL.md',
    aggregated_output: '',
    exit_code: null,
  }),
  completed('a', 'command_execution', {
    command: 'cat /skills/x/SKILL.md',
    exit_code: 0,
    status: 'completed',
  }),
  completed('b', 'mcp_tool_call', {
    ...{ server: 's', tool: 't', arguments: { q: 1 }, status: 'failed', error: { message: 'no' } },
    result: { content: [], structured_content: {} },
  }),
  completed('c', 'file_change', { changes: [{ path: 'x', kind: 'add' }], status: 'completed' }),
  completed('d', 'web_search', { query: 'q', action: { type: 'search' } }),
  started('e', 'collab_tool_call', {
    tool: 'wait',
    prompt: 'p',
    receiver_thread_ids: ['t'],
    agents_states: {},
  }),
  completed('f', 'todo_list', { items: [{ text: 'a', completed: true }] }),
  completed('g', 'error', { message: 'careful' }),
  DONE,
  failed('no'),
];
