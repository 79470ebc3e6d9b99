import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { echoed, echoedLine } from '../../src/lib/text/echo.ts';
import { lineOf } from '../../src/lib/text/error-line.ts';

describe('an echoed value', () => {
  test.each([
    ['/etc/runfeed/schlüssel 鍵 🔑', '/etc/runfeed/schlüssel 鍵 🔑'],
    ['a\nb\r\tc\u0000', 'a\\nb\\r\\tc\\u{0}'],
    ['\u001b[31mred\u007f', '\\u{1b}[31mred\\u{7f}'],
    ['\u009b31m\u0085', '\\u{9b}31m\\u{85}'],
    ['a\u202eb\u2066c\u200bd\ufeff\u2028', 'a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}\\u{2028}'],
    ['a\ud800b', 'a\\u{d800}b'],
  ])('%j is printed as %j', (value, printed) => {
    expect(echoed(value)).toBe(printed);
  });

  test.each([
    ['postgresql://me:pass@db/x', 'postgresql://db/x'],
    ['/srv/postgresql:/me:pass@db/x', '/srv/postgresql:/db/x'],
    ['redis://:p/a@s s@cache', 'redis://cache'],
    ['https://token@host/path', 'https://host/path'],
    ['https://host/path', 'https://host/path'],
    ['/home/me@example.org/key', '/home/me@example.org/key'],
  ])('%s has no user and password: %s', (value, printed) => {
    expect(echoed(value)).toBe(printed);
  });

  test('is clipped to 200 characters, and a password behind the cut stays hidden, too', () => {
    expect(echoed('x'.repeat(100_000))).toBe(`${'x'.repeat(200)}…`);
    expect(echoed('\u001b'.repeat(1_000)).length).toBe(201);
    expect(echoed(`redis://${'secret'.repeat(1_000)}@cache`)).toBe('redis://cache');
  });

  test('is printable and short whatever it contains, and stays the same when it is echoed again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (value) => {
        const line = echoedLine(echoed(value));
        expect(line.length).toBeLessThanOrEqual(1_001);
        expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(echoedLine(line)).toBe(line);
      }),
    );
  });
});

test('an error is one printable line of bounded length that keeps the reason behind a long path', () => {
  const path = `/data/redis:/me:pass@${'x'.repeat(100_000)}\u001b[31m`;
  const line = lineOf(new Error(`ENOENT:\nno such file,\u202e open '${path}' failed`));
  expect(line).toMatch(/^ENOENT: no such file,\\u\{202e\} open '\/data\/redis:\/x+… failed$/);
  expect(line.length).toBeLessThan(300);
  expect(lineOf(new Error('word '.repeat(100_000))).length).toBe(1_001);
});
