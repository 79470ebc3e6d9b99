import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter } from '../../src/lib/text/ndjson.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Cuts bytes into pieces of the given sizes, each taken modulo what is left. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const size of sizes) {
    chunks.push(bytes.slice(from, from + size));
    from += size;
  }
  return [...chunks, bytes.slice(from)];
}

function linesOf(chunks: readonly Uint8Array[], maxLineBytes?: number) {
  const splitter = createLineSplitter(maxLineBytes);
  const lines = chunks.flatMap((chunk) => splitter.push(chunk));
  return { lines: [...lines, ...splitter.end()], dropped: splitter.dropped() };
}

const anyText = fc.string({
  unit: fc.constantFrom('a', 'é', '語', '👩‍💻', '\n', '\r', '\u2028', '\u0085', '"'),
});
const anySizes = fc.array(fc.nat({ max: 7 }), { maxLength: 40 });

test('the same bytes give the same lines however they are chunked', () => {
  fc.assert(
    fc.property(anyText, anySizes, fc.constantFrom(3, 9, 1000), (text, sizes, limit) => {
      const bytes = bytesOf(text);
      expect(linesOf(cut(bytes, sizes), limit)).toEqual(linesOf([bytes], limit));
    }),
  );
});

test('lines joined by line feeds come back unchanged', () => {
  const line = anyText.map((text) => text.replace(/[\n\r]/g, ''));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), anySizes, (written, sizes) => {
      const chunks = cut(bytesOf(written.map((text) => `${text}\n`).join('')), sizes);
      expect(linesOf(chunks).lines).toEqual(written);
    }),
  );
});

test('one carriage return before the line feed belongs to the line end', () => {
  expect(linesOf([bytesOf('a\r\nb\r\r\nc\rd\n')]).lines).toEqual(['a', 'b\r', 'c\rd']);
});

test('U+2028, U+2029 and U+0085 do not end a line', () => {
  expect(linesOf([bytesOf('a\u2028b\u2029c\u0085d\n')]).lines).toEqual(['a\u2028b\u2029c\u0085d']);
});

test('a last line without a line feed is returned at the end', () => {
  expect(linesOf([bytesOf('a\nb')]).lines).toEqual(['a', 'b']);
});

test('a byte order mark is dropped only at the very start', () => {
  expect(linesOf([bytesOf('\uFEFFa\n\uFEFFb\n')]).lines).toEqual(['a', '\uFEFFb']);
  expect(linesOf([bytesOf('too long\n\uFEFFb\n')], 4).lines).toEqual(['\uFEFFb']);
});

test('bytes that are not UTF-8 become replacement characters and do not spoil the next line', () => {
  expect(linesOf([new Uint8Array([0x61, 0xff, 0x0a, 0x62, 0x0a])]).lines).toEqual(['a\uFFFD', 'b']);
});

test('a line of exactly the limit is kept and one byte more is dropped and counted', () => {
  const { lines, dropped } = linesOf([bytesOf('12345\n123456\nnext\n')], 5);
  expect(lines).toEqual(['12345', 'next']);
  expect(dropped).toBe(1);
});

test('an endless line is counted once, and nothing of it is returned', () => {
  expect(linesOf(Array(100).fill(bytesOf('xxxx')), 10)).toEqual({ lines: [], dropped: 1 });
});

test('a chunk may be overwritten after the push', () => {
  const splitter = createLineSplitter();
  const chunk = bytesOf('first half');
  splitter.push(chunk);
  chunk.fill(0x78);
  expect(splitter.push(bytesOf(', second half\n'))).toEqual(['first half, second half']);
});

test('a stand-in replaces a line that exceeds the limit, wherever the chunks are cut', () => {
  const bytes = bytesOf('a\ntoo long\nb\ntoo long');
  for (let size = 1; size <= bytes.length; size += 1) {
    const splitter = createLineSplitter(4, '?');
    const lines = cut(bytes, Array(30).fill(size)).flatMap((chunk) => splitter.push(chunk));
    expect([...lines, ...splitter.end()]).toEqual(['a', '?', 'b', '?']);
  }
});
