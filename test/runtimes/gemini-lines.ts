import { createGeminiAdapter } from '../../src/runtimes/gemini.ts';
import { type Fields, playerOf } from './player.ts';

export const gemini = playerOf(createGeminiAdapter);

export const timestamp = '2026-11-22T19:08:04.121Z';
export const at = { timestamp };
export const INIT = { type: 'init', timestamp, session_id: 's1', model: 'auto' };
export const says = (content: unknown, role = 'assistant') => ({
  type: 'message',
  timestamp,
  role,
  content,
  delta: true,
});
export const uses = (id: string, name: string, parameters: unknown = {}) => ({
  ...{ type: 'tool_use', timestamp },
  ...{ tool_name: name, tool_id: id, parameters },
});
export const answers = (id: string, more: Fields = {}) => ({
  ...{ type: 'tool_result', timestamp, tool_id: id, status: 'success' },
  ...more,
});
export const warns = (message: string, severity = 'warning') => ({
  type: 'error',
  timestamp,
  severity,
  message,
});
export const result = (more: Fields = {}) => ({ type: 'result', timestamp, status: 'success', ...more });

/** Lines of every type. */
export const SAMPLES: readonly Fields[] = [
  INIT,
  says('do it', 'user'),
  says('Hello'),
  uses('a', 'activate_skill', { name: 'x' }),
  answers('a', { output: 'Skill **x** activated' }),
  answers('b', { status: 'error', error: { type: 'not_found', message: 'no' } }),
  warns('Loop detected'),
  result({ stats: { total_tokens: 1, cached: 0, duration_ms: 2, models: {} } }),
  result({ status: 'error', error: { type: 'FatalCancellationError', message: 'no' } }),
];
