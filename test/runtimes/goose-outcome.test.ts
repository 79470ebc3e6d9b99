import { expect, test } from 'vitest';
import { asks, COMPLETE, message, returns, says, terminalOf } from './goose-lines.ts';

const PROVIDER_ERROR =
  'Ran into this error: 529 Overloaded.\n\nPlease retry if you think this is a transient or recoverable error.';
const TURN_LIMIT =
  "I've reached the maximum number of actions I can do without user input. Would you like me to continue?";
const error = (text: string) => ({ type: 'error', error: text });

/** Returns the outcome and the reason. */
function endOf(...[lines, exit]: Parameters<typeof terminalOf>): unknown[] {
  const data = terminalOf(lines, exit);
  return [data?.outcome, data?.reason];
}

test('complete means completed, and carries the usage and the cost', () => {
  const complete = {
    type: 'complete',
    total_tokens: 30,
    input_tokens: 20,
    output_tokens: 10,
    cache_read_input_tokens: 5,
    cache_write_input_tokens: 0,
    cost_usd: 0.5,
  };
  expect(terminalOf([says('done'), complete], { exitCode: 0 })).toEqual({
    outcome: 'completed',
    reason: 'complete',
    exitCode: 0,
    usage: {
      totalTokens: 30,
      inputTokens: 20,
      outputTokens: 10,
      cacheReadInputTokens: 5,
      cacheWriteInputTokens: 0,
    },
    costUsd: 0.5,
  });
});

test('usage that is null on the wire is omitted', () => {
  expect(terminalOf([{ type: 'complete', total_tokens: null }])).toEqual({
    outcome: 'completed',
    reason: 'complete',
  });
});

test('a failed process overrides complete', () => {
  expect(endOf([COMPLETE], { exitCode: 1 })).toEqual(['failed', 'exit_code']);
  expect(endOf([COMPLETE], { signal: 'SIGTERM' })).toEqual(['cancelled', 'signal']);
});

test('an error is a failure, with complete after it (old versions) or without (new ones)', () => {
  expect(endOf([error('boom'), COMPLETE], { exitCode: 0 })).toEqual(['failed', 'error']);
  expect(endOf([error('boom')], { exitCode: 1 })).toEqual(['failed', 'error']);
  expect(endOf([COMPLETE, error('boom')])).toEqual(['failed', 'error']);
});

test('an interrupted headless run is cancelled', () => {
  expect(endOf([error('Headless run interrupted')], { exitCode: 1 })).toEqual(['cancelled', 'interrupted']);
});

test('an error item is a failure even if complete follows', () => {
  const item = { type: 'error', kind: 'other', message: 'no key' };
  expect(endOf([message('assistant', [item]), COMPLETE])).toEqual(['failed', 'provider_error']);
});

test('exhausted credits are a failure even if complete follows', () => {
  const item = { type: 'systemNotification', notificationType: 'creditsExhausted', msg: 'top up' };
  expect(endOf([message('assistant', [item]), COMPLETE])).toEqual(['failed', 'credits_exhausted']);
});

test('silence is a failure, with the exit code as its reason if there is one', () => {
  expect(endOf([says('and then')], {})).toEqual(['failed', 'stream_ended_early']);
  expect(endOf([says('and then')], { exitCode: 0 })).toEqual(['failed', 'stream_ended_early']);
  expect(endOf([says('and then')], { exitCode: 3 })).toEqual(['failed', 'exit_code']);
});

test('a stop signal means cancelled, also as an exit code from a shell; a crash means failed', () => {
  expect(endOf([says('x')], { exitCode: null, signal: 'SIGINT' })).toEqual(['cancelled', 'signal']);
  expect(endOf([], { signal: 'SIGKILL' })).toEqual(['cancelled', 'signal']);
  expect(endOf([says('x')], { exitCode: 143 })).toEqual(['cancelled', 'signal']);
  expect(endOf([says('x')], { signal: 'SIGSEGV' })).toEqual(['failed', 'signal']);
});

test('a provider error in the complete last message is a failure with that text', () => {
  expect(terminalOf([says('trying', 'm1'), says(PROVIDER_ERROR, 'm2'), COMPLETE])).toMatchObject({
    outcome: 'failed',
    reason: 'provider_error',
    errors: [PROVIDER_ERROR],
  });
});

test.each([
  ['in one message without an id', [says(PROVIDER_ERROR, null)]],
  ['in small pieces', [says('Ran into', 'm2'), says(' this error', 'm2'), says(': 500', 'm2')]],
  [
    'right after pieces of an answer, none with an id',
    [says('I am', null), says(' on it', null), says(PROVIDER_ERROR, null)],
  ],
  [
    'after a tool, none with an id',
    [says('x', null), asks('a', 'shell'), returns('a', 'ok'), says('Ran into this error: 5', null)],
  ],
  [
    'after a thought, none with an id',
    [
      says('x', null),
      message('assistant', [{ type: 'thinking', thinking: 'hm' }], { id: null }),
      says('Ran into this error: 5', null),
    ],
  ],
  [
    'as a failed connection',
    [says('dns error', 'm2'), says('\n\nPlease resend your message to try again.', 'm2')],
  ],
])('the provider error is detected %s', (_, lines) => {
  expect(endOf([...lines, COMPLETE])).toEqual(['failed', 'provider_error']);
});

test.each([
  ['the answer only mentions it', [says('The log says: ', 'm2'), says(PROVIDER_ERROR, 'm2')]],
  ['pieces without ids mention it', [says('The log says: ', null), says('Ran into this error: 5', null)]],
  [
    'pieces without ids mention it after a tool',
    [asks('a', 'shell'), returns('a', 'ok'), says('It says: ', null), says('Ran into this error: 5', null)],
  ],
  ['the assistant continued', [says(PROVIDER_ERROR, 'm1'), says('Second try worked.', 'm2')]],
  [
    'the assistant continued with a tool',
    [says(PROVIDER_ERROR, 'm1'), asks('a', 'shell'), returns('a', 'ok')],
  ],
  ['the user said it', [message('user', [{ type: 'text', text: PROVIDER_ERROR }])]],
])('no provider error is detected if %s', (_, lines) => {
  expect(endOf([...lines, COMPLETE])).toEqual(['completed', 'complete']);
});

test('the turn limit counts once the run is complete', () => {
  expect(endOf([says('working', 'm1'), says(TURN_LIMIT, 'm2'), COMPLETE])).toEqual(['limit', 'turn_limit']);
  expect(endOf([says(TURN_LIMIT, 'm2')], { signal: 'SIGTERM' })).toEqual(['cancelled', 'signal']);
});

test('tools without a result are listed', () => {
  const lines = [asks('a', 'shell'), asks('b', 'write'), asks('c', 'read'), returns('b', 'ok')];
  expect(terminalOf(lines)?.openTools).toEqual([
    { toolId: 'a', name: 'shell' },
    { toolId: 'c', name: 'read' },
  ]);
});

test('earlier errors stay in the terminal of a failed run', () => {
  expect(terminalOf([{ type: 'complete', total_tokens: 9 }, error('late')], { exitCode: 1 })).toEqual({
    outcome: 'failed',
    reason: 'error',
    exitCode: 1,
    errors: ['late'],
    usage: { totalTokens: 9 },
  });
});
