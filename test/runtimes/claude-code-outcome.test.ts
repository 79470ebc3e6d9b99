import { expect, test } from 'vitest';
import { claude, INIT, result, said, text, toolUse } from './claude-lines.ts';

const AFTER = [INIT, said([text('hi')])];

test.each([
  ['success', {}, 'completed', 'result'],
  ['an old result', { subtype: undefined, is_error: undefined }, 'completed', 'result'],
  ['a success that is an error', { is_error: true }, 'failed', 'api_error'],
  ['an error', { subtype: 'error_during_execution', is_error: true }, 'failed', 'result_error'],
  ['an error with is_error false', { subtype: 'error_during_execution' }, 'failed', 'result_error'],
  ['an error of the future', { subtype: 'error_future' }, 'failed', 'result_error'],
  [
    'structured output that never arrived',
    { subtype: 'error_max_structured_output_retries' },
    'failed',
    'result_error',
  ],
  ['the turn limit', { subtype: 'error_max_turns', is_error: true }, 'limit', 'error_max_turns'],
  ['the budget', { subtype: 'error_max_budget_usd' }, 'limit', 'error_max_budget_usd'],
  [
    'an interrupt while the model speaks',
    { subtype: 'error_during_execution', is_error: true, terminal_reason: 'aborted_streaming' },
    'cancelled',
    'aborted_streaming',
  ],
  ['an interrupt while a tool runs', { terminal_reason: 'aborted_tools' }, 'cancelled', 'aborted_tools'],
  ['a refusal', { stop_reason: 'refusal' }, 'refused', 'refusal'],
  ['a text that was cut off', { stop_reason: 'max_tokens' }, 'truncated', 'max_tokens'],
  [
    'a full context',
    { stop_reason: 'model_context_window_exceeded' },
    'truncated',
    'model_context_window_exceeded',
  ],
])('%s gives this outcome', (_, more, outcome, reason) => {
  expect(claude.endOf([...AFTER, result(more)], { exitCode: 0 })).toEqual([outcome, reason]);
});

test('without a result the exit decides', () => {
  expect(claude.endOf(AFTER, { exitCode: 0 })).toEqual(['failed', 'stream_ended_early']);
  expect(claude.endOf(AFTER, { exitCode: 1 })).toEqual(['failed', 'exit_code']);
  expect(claude.endOf(AFTER, { signal: 'SIGTERM' })).toEqual(['cancelled', 'signal']);
});

test('a failed process overrides a success, but not an error', () => {
  expect(claude.endOf([...AFTER, result()], { exitCode: 1 })).toEqual(['failed', 'exit_code']);
  expect(claude.endOf([...AFTER, result({ is_error: true })], { exitCode: 0 })).toEqual([
    'failed',
    'api_error',
  ]);
});

test('the last of several turns counts, and each result is recorded', () => {
  const failed = result({ subtype: 'error_during_execution', errors: ['first'] });
  const lines = [INIT, failed, INIT, said([text('again')]), result({ total_cost_usd: 2 })];
  expect(claude.terminalOf(lines, { exitCode: 0 })).toMatchObject({
    outcome: 'completed',
    costUsd: 2,
    errors: ['first'],
  });
  const results = claude.runOf(lines).filter(({ data }) => data.event === 'result');
  expect(results).toHaveLength(2);
});

test('a turn that was cut off does not count as the success of the turn before', () => {
  expect(claude.endOf([INIT, result(), INIT, said([text('x')])])).toEqual(['failed', 'stream_ended_early']);
});

test('lines after the result that are not a turn do not undo it', () => {
  const late = { type: 'system', subtype: 'task_notification', task_id: 't' };
  expect(claude.endOf([INIT, result(), late, { type: 'keep_alive' }])).toEqual(['completed', 'result']);
});

test('the terminal has usage, cost, the errors and the tools left open', () => {
  const usage = {
    input_tokens: 3,
    output_tokens: 4,
    cache_read_input_tokens: 5,
    cache_creation_input_tokens: 6,
    service_tier: 'standard',
  };
  const more = {
    subtype: 'error_max_turns',
    errors: ['Reached it', 7],
    usage,
    total_cost_usd: 0.5,
    num_turns: 9,
  };
  expect(claude.terminalOf([said([toolUse('a', 'Bash')]), result(more)], { exitCode: 1 })).toEqual({
    outcome: 'limit',
    reason: 'error_max_turns',
    exitCode: 1,
    errors: ['Reached it'],
    usage: { inputTokens: 3, outputTokens: 4, cacheReadInputTokens: 5, cacheWriteInputTokens: 6 },
    costUsd: 0.5,
    subtype: 'error_max_turns',
    turns: 9,
    openTools: [{ toolId: 'a', name: 'Bash' }],
  });
});

test('the text of a result is an error if the turn failed, and is recorded once', () => {
  const refused = said([text('No credit')], { error: 'billing_error' });
  const lines = [refused, result({ is_error: true, result: 'No credit' })];
  expect(claude.terminalOf(lines)?.errors).toEqual(['No credit']);
  expect(claude.terminalOf([result({ result: 'Fine.' })])?.errors).toBeUndefined();
});
