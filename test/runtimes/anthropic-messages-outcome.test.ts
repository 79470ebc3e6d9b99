import { expect, test } from 'vitest';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { type Fields, textOf } from './adapters.ts';
import { begins, fails, says, stops } from './messages-frames.ts';
import { runOf, terminalOf } from './messages-runs.ts';

test.each([
  ['end_turn', 'completed'],
  ['stop_sequence', 'completed'],
  ['max_tokens', 'truncated'],
  ['model_context_window_exceeded', 'truncated'],
  ['refusal', 'refused'],
] as const)('a stop for %s ends the run: %s', (reason, outcome) => {
  for (const singleRequest of [true, false]) {
    expect(terminalOf([begins(), ...stops(reason)], { singleRequest })).toMatchObject({ outcome, reason });
  }
});

test.each(['tool_use', 'pause_turn', 'compaction'])('a stop for %s ends only a single request', (reason) => {
  const lines = [begins(), ...stops(reason)];
  expect(terminalOf(lines, { singleRequest: true })).toMatchObject({ outcome: 'completed', reason });
  expect(terminalOf(lines)).toMatchObject({
    outcome: 'failed',
    reason: 'stream_ended_early',
    stopReason: reason,
  });
  expect(terminalOf([...lines, begins('msg_2'), ...stops('end_turn')])).toMatchObject({
    outcome: 'completed',
  });
});

test('an answer that was cut off or stopped for an unknown reason is not a success', () => {
  expect(terminalOf([begins(), says('a')])).toMatchObject({
    outcome: 'failed',
    reason: 'stream_ended_early',
  });
  expect(terminalOf([begins(), ...stops('end_turn').slice(0, 1)])).toMatchObject({ outcome: 'failed' });
  expect(terminalOf([begins(), ...stops('bored')])).toMatchObject({
    outcome: 'failed',
    reason: 'unknown_stop_reason',
    stopReason: 'bored',
  });
  const cutAfterFirst = [begins(), ...stops('end_turn'), begins('msg_2'), says('a')];
  expect(terminalOf(cutAfterFirst)).toMatchObject({ outcome: 'failed', reason: 'stream_ended_early' });
});

test('the terminal has the last answer’s stop reason and the usage of all answers', () => {
  const details = { type: 'refusal', category: 'cyber' };
  expect(
    terminalOf([
      begins(),
      ...stops('pause_turn'),
      begins('msg_2'),
      { type: 'ping' },
      ...stops('refusal', { stop_details: details }),
    ]),
  ).toEqual({
    outcome: 'refused',
    reason: 'refusal',
    stopReason: 'refusal',
    stopDetails: details,
    usage: { inputTokens: 20, outputTokens: 10 },
    pings: 1,
  });
});

test('a repeated start is counted once, and each request without an id is counted', () => {
  const [delta, stop] = stops('end_turn') as [Fields, Fields];
  expect(terminalOf([begins(), begins(), delta, stop])?.usage).toEqual({ inputTokens: 10, outputTokens: 5 });
  const nameless = begins('', { id: null });
  expect(terminalOf([nameless, delta, stop, nameless, delta, stop])?.usage).toEqual({
    inputTokens: 20,
    outputTokens: 10,
  });
});

test('an error fails the run with its type and request id, unless the host retries', () => {
  const events = runOf([begins(), says('a'), fails('Overloaded')]);
  expect(events.at(-2)?.data).toEqual({
    message: 'Overloaded',
    errorType: 'overloaded_error',
    requestId: 'req_1',
  });
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'failed', reason: 'error', errors: ['Overloaded'] });
  const again = [fails('Overloaded'), begins('msg_2'), ...stops('end_turn')];
  expect(terminalOf(again)).toMatchObject({ outcome: 'completed', errors: ['Overloaded'] });
});

test('an error instead of a stream is read, too', () => {
  const adapter = createAnthropicMessagesAdapter();
  const body = new TextEncoder().encode(textOf(fails('Slow down')));
  const events = [...adapter.push(body), ...adapter.end()];
  expect(events.map((event) => event.kind)).toEqual(['runtime_started', 'stream_error', 'runtime_terminal']);
});

test('lines after the end of a single request are only counted', () => {
  const lines = [begins(), ...stops('end_turn')];
  const late = [...lines, begins('msg_2'), says('late'), fails('late')];
  const events = runOf(late, { singleRequest: true });
  expect(events.slice(0, -1)).toEqual(runOf(lines, { singleRequest: true }).slice(0, -1));
  expect(events.at(-1)?.data).toMatchObject({ outcome: 'completed', lateLines: 3 });
});
