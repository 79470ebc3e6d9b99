import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSseSplitter, type SsePiece } from '../../src/lib/text/sse.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function splitOf(chunks: readonly Uint8Array[], maxFrameBytes?: number) {
  const splitter = createSseSplitter(maxFrameBytes);
  const pieces = chunks.flatMap((chunk) => splitter.push(chunk));
  return { pieces: [...pieces, ...splitter.end()], dropped: splitter.dropped() };
}

const piecesOf = (text: string): SsePiece[] => splitOf([bytesOf(text)]).pieces;

/** A frame with data, and an event and id if given. */
const frame = (data: string, more: { event?: string; id?: string } = {}): SsePiece => ({
  kind: 'frame',
  event: undefined,
  id: undefined,
  data,
  ...more,
});

test('a frame has its data, and its event and id if they are set', () => {
  expect(piecesOf('event: a\nid: 7\ndata: {"x":1}\n\ndata: second\n\n')).toEqual([
    frame('{"x":1}', { event: 'a', id: '7' }),
    frame('second'),
  ]);
});

test('one space after the colon is dropped, and a field without a colon is empty', () => {
  expect(piecesOf('data:a\n\ndata:  b \n\ndata\n\ndata: c:d\n\n')).toEqual([
    frame('a'),
    frame(' b '),
    frame(''),
    frame('c:d'),
  ]);
});

test('several data lines are joined by line feeds', () => {
  expect(piecesOf('data: a\ndata:\ndata: b\n\n')).toEqual([frame('a\n\nb')]);
});

test('comments, retry times and frames without data are dropped', () => {
  expect(piecesOf(': ping 1\n\nretry: 5\n\nevent: nothing\nid: 1\n\ndata: a\n: in between\n\n')).toEqual([
    frame('a'),
  ]);
});

test('lines end with LF, CRLF or CR, and are returned at once', () => {
  const text = 'event: e\ndata: a\n\ndata: b\ndata: c\n\n';
  const expected = [frame('a', { event: 'e' }), frame('b\nc')];
  for (const end of ['\n', '\r\n', '\r']) expect(piecesOf(text.replaceAll('\n', end))).toEqual(expected);
  expect(createSseSplitter().push(bytesOf('data: a\r\r'))).toEqual([frame('a')]);
});

test('the last frame may lack its blank line, and its last line its line end', () => {
  expect(piecesOf('data: a\n\ndata: b\n')).toEqual([frame('a'), frame('b')]);
  expect(piecesOf('data: a\n\ndata: b')).toEqual([frame('a'), frame('b')]);
});

test('a byte order mark before the first field is dropped', () => {
  expect(piecesOf('\uFEFFdata: a\n\n')).toEqual([frame('a')]);
});

test('lines that are not fields are returned unchanged, and do not affect the frame around them', () => {
  expect(piecesOf('<html>\ndata: a\n{"type":"error"}\n\n')).toEqual([
    { kind: 'stray', line: '<html>' },
    { kind: 'stray', line: '{"type":"error"}' },
    frame('a'),
  ]);
});

test('a frame above the limit is dropped and counted, even one of many lines, and the next one is complete', () => {
  const long = `data: ${'x'.repeat(40)}\n\n`;
  const many = `${'data: xxxx\n'.repeat(5)}\n`;
  expect(splitOf([bytesOf(`data: a\n\n${long}${many}event: e\ndata: b\n\n`)], 20)).toEqual({
    pieces: [frame('a'), frame('b', { event: 'e' })],
    dropped: 2,
  });
});

test('nothing of a frame with a line above the limit is returned', () => {
  const broken = `event: e\ndata: {\ndata: ${'x'.repeat(40)}\ndata: }\n\n`;
  expect(splitOf([bytesOf(`${broken}data: b\n\n`)], 20)).toEqual({ pieces: [frame('b')], dropped: 1 });
});

test('endless comments do not count towards the next frame', () => {
  expect(splitOf([bytesOf(`${': ping\n'.repeat(100)}data: a\n\n`)], 20)).toEqual({
    pieces: [frame('a')],
    dropped: 0,
  });
});

test('the same bytes give the same pieces however they are chunked', () => {
  const line = fc.constantFrom(
    ...[
      'data: a',
      'data:é語👩‍💻',
      'event: e',
      'id: 1',
      ': ping',
      'stray',
      'data',
      '',
      '',
      'data: xxxxxxxxxxxxx',
    ],
  );
  const lineEnd = fc.constantFrom('\n', '\r', '\r\n');
  const sizes = fc.array(fc.nat({ max: 7 }), { maxLength: 40 });
  const written = fc.array(fc.tuple(line, lineEnd).map(([text, end]) => text + end));
  fc.assert(
    fc.property(written, sizes, fc.constantFrom(15, 25, 1000), (lines, cuts, limit) => {
      const bytes = bytesOf(lines.join(''));
      const chunks: Uint8Array[] = [];
      let from = 0;
      for (const size of cuts) {
        chunks.push(bytes.slice(from, from + size));
        from += size;
      }
      expect(splitOf([...chunks, bytes.slice(from)], limit)).toEqual(splitOf([bytes], limit));
    }),
    { numRuns: 500 },
  );
});
