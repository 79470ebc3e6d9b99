import { expect, test } from 'vitest';
import { answers, at, gemini, INIT, result, says, timestamp, uses, warns } from './gemini-lines.ts';

test('the init is the start, with the wire’s timestamp; a second init is a notification', () => {
  const events = gemini.runOf([INIT, INIT, { ...INIT, session_id: 's2' }], {}, { sessionName: 'nightly' });
  expect(events[0]?.data).toEqual({
    runtime: 'gemini',
    sessionName: 'nightly',
    sessionId: 's1',
    model: 'auto',
    timestamp,
  });
  const { type: _, ...payload } = INIT;
  expect(events.slice(1, -1).map(({ data }) => data)).toEqual([
    { event: 'init', payload: { ...payload, session_id: 's2' } },
  ]);
  expect(gemini.runOf([says('x'), INIT])[2]?.data).toEqual({ event: 'init', payload });
});

test('the assistant’s messages are text, all others are notifications', () => {
  expect(
    gemini.middleOf([says('Hi '), says('there'), says('do it', 'user'), says('rules', 'system')]),
  ).toEqual([
    ['assistant_text', { text: 'Hi ', ...at }],
    ['assistant_text', { text: 'there', ...at }],
    ['notification', { event: 'user_text', payload: { role: 'user', text: 'do it' }, ...at }],
    ['notification', { event: 'other_text', payload: { role: 'other', text: 'rules' }, ...at }],
  ]);
});

test('results pair with earlier calls by id, and may lack the text for people', () => {
  const lines = [
    uses('a', 'read_file', { path: 'x' }),
    uses('b', 'shell'),
    answers('b', { output: 'hi' }),
    answers('a'),
    answers('c', { status: 'error', error: { type: 'not_found', message: 'no such tool' } }),
  ];
  expect(gemini.middleOf(lines)).toEqual([
    ['tool_request', { toolId: 'a', name: 'read_file', input: { path: 'x' }, ...at }],
    ['tool_request', { toolId: 'b', name: 'shell', input: {}, ...at }],
    ['tool_response', { toolId: 'b', name: 'shell', output: 'hi', isError: false, ...at }],
    ['tool_response', { toolId: 'a', name: 'read_file', output: null, isError: false, ...at }],
    ['tool_response', { toolId: 'c', output: 'no such tool', errorType: 'not_found', isError: true, ...at }],
  ]);
});

test('a skill is loaded when its tool says so', () => {
  const loaded = { output: 'Skill **notes** activated. Resources: …' };
  expect(gemini.middleOf([uses('a', 'activate_skill'), answers('a', loaded)]).at(-1)).toEqual([
    'skill_loaded',
    { skill: 'notes', toolId: 'a', ...at },
  ]);
});

test.each([
  ['the tool fails', 'activate_skill', { output: 'Skill **notes** activated', status: 'error' }],
  ['the tool says something else', 'activate_skill', { output: 'Unknown skill **notes**' }],
  ['the tool says nothing', 'activate_skill', {}],
  ['another tool says it', 'run_shell_command', { output: 'Skill **notes** activated' }],
])('no skill is loaded when %s', (_, name, more) => {
  const kinds = gemini.runOf([uses('a', name), answers('a', more)]).map(({ kind }) => kind);
  expect(kinds).toEqual(['runtime_started', 'tool_request', 'tool_response', 'runtime_terminal']);
});

test('errors are stream errors with their severity and do not end the run', () => {
  const lines = [warns('careful'), { type: 'error' }, says('on'), result()];
  expect(gemini.middleOf(lines).slice(0, 2)).toEqual([
    ['stream_error', { message: 'careful', severity: 'warning', ...at }],
    ['stream_error', { message: 'Gemini reported an error without a message' }],
  ]);
  expect(gemini.endOf(lines, { exitCode: 0 })).toEqual(['completed', 'result']);
});

test.each([
  ['a loop', [warns('Loop detected, stopping execution'), result()], 'limit', 'loop_detected'],
  ['too many turns', [warns('Maximum session turns exceeded'), result()], 'limit', 'max_session_turns'],
  [
    'too many turns, reported by the result',
    [result({ status: 'error', error: { type: 'FatalTurnLimitedError' } })],
    'limit',
    'max_session_turns',
  ],
  [
    'a cancellation',
    [result({ status: 'error', error: { type: 'FatalCancellationError' } })],
    'cancelled',
    'cancelled',
  ],
  ['a blocked answer', [warns('blocked', 'error'), result({ status: 'error' })], 'failed', 'result_error'],
  ['a result without a status', [result({ status: undefined })], 'failed', 'result_error'],
  ['a loop before an error', [warns('Loop detected'), result({ status: 'error' })], 'failed', 'result_error'],
  ['a loop and then nothing', [warns('Loop detected')], 'failed', 'stream_ended_early'],
])('%s gives this outcome, whatever the exit code', (_, lines, outcome, reason) => {
  expect(gemini.endOf([INIT, ...lines], { exitCode: 0 })).toEqual([outcome, reason]);
});

test('the exit decides if there is no result, or if the process fails after a success', () => {
  expect(gemini.endOf([INIT], { exitCode: 53 })).toEqual(['failed', 'exit_code']);
  expect(gemini.endOf([INIT], { exitCode: 130 })).toEqual(['cancelled', 'signal']);
  expect(gemini.endOf([INIT, result()], { exitCode: 1 })).toEqual(['failed', 'exit_code']);
});

test('the terminal has usage, duration, errors, and noise, which may have the only explanation', () => {
  const stats = { total_tokens: 9, input_tokens: 5, output_tokens: 4, cached: 1, input: 4, duration_ms: 7 };
  const failed = result({ status: 'error', error: { type: 'unknown', message: '[API Error]' }, stats });
  const lines = [
    INIT,
    'TerminalQuotaError: You exceeded your quota',
    '    at Turn.run',
    warns('blocked'),
    failed,
  ];
  expect(gemini.terminalOf(lines, { exitCode: 1 })).toEqual({
    outcome: 'failed',
    reason: 'result_error',
    exitCode: 1,
    errors: ['blocked', '[API Error]'],
    usage: { totalTokens: 9, inputTokens: 5, outputTokens: 4, cacheReadInputTokens: 1 },
    durationMs: 7,
    noise: { lines: 2, tail: 'TerminalQuotaError: You exceeded your quota\n    at Turn.run' },
  });
  expect(gemini.runOf(lines).at(-2)?.data).toMatchObject({ event: 'result', payload: { stats } });
});

test('unknown and malformed lines are kept as notifications', () => {
  const lines = [{ type: 'thought', text: 'hm' }, says(7), { type: 'tool_result', status: 'success' }];
  expect(gemini.middleOf(lines)).toEqual(
    lines.map((line) => ['notification', { event: 'unknown_line', payload: line }]),
  );
  expect(gemini.middleOf([{ type: 'tool_use', tool_id: 'a' }])).toEqual([
    ['notification', { event: 'invalid_tool_request', payload: { tool_id: 'a' } }],
  ]);
});
