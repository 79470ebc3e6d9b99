import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  claude,
  heard,
  INIT,
  messageStart,
  piece,
  result,
  said,
  streamed,
  text,
  toolResult,
  toolUse,
} from './claude-lines.ts';
import type { Lines } from './player.ts';

const textOf = (lines: Lines) =>
  claude
    .runOf(lines)
    .filter(({ kind }) => kind === 'assistant_text')
    .map(({ data }) => data.text);

const noteOf = (lines: Lines, event: string) =>
  claude
    .runOf(lines)
    .filter(({ data }) => data.event === event)
    .map(({ data }) => data.payload);

const stop = streamed({ type: 'content_block_stop', index: 0 });

test('streamed text is recorded as it arrives, and not again when its block is complete', () => {
  const lines = [messageStart('m1'), piece('Hel'), piece('lo'), said([text('Hello')]), stop];
  expect(claude.middleOf(lines)).toEqual([
    ['notification', { event: 'request_started', payload: { model: 'sonnet' }, messageId: 'm1' }],
    ['assistant_text', { text: 'Hel', messageId: 'm1', blockIndex: 0 }],
    ['assistant_text', { text: 'lo', messageId: 'm1', blockIndex: 0 }],
  ]);
});

test('the rest of a block that was not streamed is recorded when the block is complete', () => {
  expect(textOf([messageStart('m1'), piece('Hel'), said([text('Hello')])])).toEqual(['Hel', 'lo']);
});

test('a complete block that does not begin with its pieces is recorded as a replacement', () => {
  const lines = [messageStart('m1'), piece('Hullo'), said([text('Hello there')]), said([text('more')])];
  expect(textOf(lines)).toEqual(['Hullo', 'more']);
  expect(noteOf(lines, 'text_replaced')).toEqual([{ text: 'Hello there' }]);
  expect(noteOf([messageStart('m1'), piece('Hello'), said([text('Hell')])], 'text_replaced')).toEqual([
    { text: 'Hell' },
  ]);
});

test('each block of a message is recorded once, with tools between them and without pieces', () => {
  const lines = [
    messageStart('m1'),
    piece('one', 0),
    said([text('one')]),
    stop,
    streamed({ type: 'content_block_start', index: 1, content_block: toolUse('a', 'Bash') }),
    streamed({
      type: 'content_block_delta',
      index: 1,
      delta: { type: 'input_json_delta', partial_json: '{}' },
    }),
    said([toolUse('a', 'Bash')]),
    streamed({ type: 'content_block_start', index: 2, content_block: { type: 'text', text: 'o' } }),
    piece('ne', 2),
    said([text('one')]),
    heard([toolResult('a', 'ok')]),
  ];
  expect(textOf(lines)).toEqual(['one', 'o', 'ne']);
  expect(claude.runOf(lines).filter(({ kind }) => kind === 'tool_request')).toHaveLength(1);
});

test('one line with all blocks of a message, streamed or with a new one, repeats nothing', () => {
  const lines = [messageStart('m1'), piece('a', 0), piece('b', 1), said([text('a'), text('b'), text('c')])];
  expect(textOf(lines)).toEqual(['a', 'b', 'c']);
});

test('an empty streamed block does not hide the next block', () => {
  const empty = streamed({ type: 'content_block_start', index: 0, content_block: text('') });
  expect(textOf([messageStart('m1'), empty, piece('', 0), piece('b', 1), said([text('b')])])).toEqual(['b']);
});

const thought = (words: string) =>
  streamed({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: words } });

test('thinking that is never completed does not hide text', () => {
  const lines = [messageStart('m1'), thought('hm'), piece('one', 1), said([text('one')])];
  expect(textOf(lines)).toEqual(['one']);
  expect(noteOf(lines, 'text_replaced')).toEqual([]);
});

test('thinking is streamed in the same way, with its signature recorded once at the end', () => {
  const signed = streamed({
    type: 'content_block_delta',
    delta: { type: 'signature_delta', signature: 's' },
  });
  const whole = said([{ type: 'thinking', thinking: 'hmm', signature: 's' }]);
  expect(noteOf([messageStart('m1'), thought('h'), thought('mm'), signed, whole], 'thinking')).toEqual([
    { thinking: 'h' },
    { thinking: 'mm' },
    { thinking: '', signature: 's' },
  ]);
});

test('subagents stream next to the main agent, each into its own message', () => {
  const by = { parent_tool_use_id: 'agent' };
  const lines = [
    messageStart('m1'),
    piece('main'),
    messageStart('m2', 'agent'),
    piece('sub', 0, 'agent'),
    said([text('main')]),
    said([text('subagent')], by, { id: 'm2' }),
  ];
  const told = claude.runOf(lines).filter(({ kind }) => kind === 'assistant_text');
  expect(told.map(({ data }) => [data.text, data.messageId, data.parentToolId])).toEqual([
    ['main', 'm1', undefined],
    ['sub', 'm2', 'agent'],
    ['agent', 'm2', 'agent'],
  ]);
});

test('a message that was not streamed is recorded complete between streamed ones', () => {
  const lines = [
    messageStart('m1'),
    piece('one'),
    said([text('other')], {}, { id: 'm9' }),
    said([text('one')]),
  ];
  expect(textOf(lines)).toEqual(['one', 'other']);
});

test('pieces without the start of their message are matched, too', () => {
  expect(textOf([INIT, piece('on'), said([text('one')])])).toEqual(['on', 'e']);
});

test('text of an incomplete block is not lost when the process dies', () => {
  expect(textOf([messageStart('m1'), piece('half an ans')])).toEqual(['half an ans']);
});

test('pings give no events, unknown pieces are kept, and an error in the stream is a stream_error', () => {
  const unknown = { type: 'content_block_delta', index: 0, delta: { type: 'future_delta' } };
  const lines = [
    streamed({ type: 'ping' }),
    streamed(unknown),
    streamed({ type: 'error', error: { type: 'overloaded_error', message: 'busy' } }),
    streamed({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }),
    result(),
  ];
  expect(claude.middleOf(lines).slice(0, -1)).toEqual([
    ['notification', { event: 'unknown_delta', payload: unknown }],
    ['stream_error', { message: 'busy', errorType: 'overloaded_error' }],
    ['notification', { event: 'message_delta', payload: { delta: { stop_reason: 'end_turn' } } }],
  ]);
});

test('however a text is cut, even within a surrogate pair, it is recorded once', () => {
  const words = fc.array(fc.constantFrom('a', ' ', '\u{1f469}‍\u{1f4bb}', '日本', '\ud83d'), { minLength: 1 });
  fc.assert(
    fc.property(words, fc.array(fc.nat({ max: 8 })), fc.nat({ max: 40 }), (parts, sizes, missing) => {
      const whole = parts.join('');
      const pieces: string[] = [];
      const shown = whole.slice(0, Math.max(1, whole.length - missing));
      let from = 0;
      for (const size of [...sizes, shown.length]) {
        pieces.push(shown.slice(from, from + size));
        from += size;
      }
      const lines = [messageStart('m1'), ...pieces.map((words) => piece(words)), said([text(whole)])];
      expect(textOf(lines).join('')).toBe(whole);
    }),
  );
});

test('more subagents and blocks than are remembered at once do no harm', () => {
  const many = Array.from({ length: 2000 }, (_, index) => piece('x', 0, `agent${index}`));
  const blocks = Array.from({ length: 2000 }, (_, index) => piece('y', index));
  expect(textOf([...many, ...blocks])).toHaveLength(4000);
});
