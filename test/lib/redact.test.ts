import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor, REDACTED } from '../../src/lib/redact.ts';

const SECRET = 'hunter2/+é<&>"\\ secret';

describe('what is redacted', () => {
  test.each([
    ['the value itself', SECRET],
    ['in JSON', JSON.stringify(SECRET).slice(1, -1)],
    ['in Go’s JSON', 'hunter2/+é\\u003c\\u0026\\u003e\\"\\\\ secret'],
    ['in a URL', encodeURIComponent(SECRET)],
    ['in a URL with small letters', encodeURIComponent(SECRET).toLowerCase()],
    ['in a form', encodeURIComponent(SECRET).replaceAll('%20', '+')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
    ['in capital hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
  ])('%s', (_, written) => {
    const redact = createRedactor(['something else', SECRET]);
    expect(redact(written)).toBe(REDACTED);
    expect(redact(`a ${written}, b ${written}`)).toBe(`a ${REDACTED}, b ${REDACTED}`);
  });

  test('any secret in base64, wherever it stands in a longer text and whatever is around it', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    fc.assert(
      fc.property(fc.string({ minLength: 6, unit: 'binary' }), bytes, bytes, (secret, before, after) => {
        const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');
        const [start = '', end = ''] = createRedactor([secret])(encoded).split(REDACTED);
        // Nothing of the secret can be decoded from what is left.
        expect(start.length * 6).toBeLessThanOrEqual(before.length * 8);
        const padded = end.replaceAll('=', '');
        expect(padded.length * 6).toBeLessThanOrEqual(after.length * 8 + 6);
        expect(encoded.length).toBeGreaterThan(start.length + end.length);
      }),
    );
  });

  test('all of two secrets that overlap, or of which one is part of the other', () => {
    const redact = createRedactor(['abcdef', 'defghi', 'abcdefgh-longer']);
    expect(redact('1abcdefghi2')).toBe(`1${REDACTED}2`);
    expect(redact('1abcdefgh-longer2')).toBe(`1${REDACTED}2`);
  });

  test.each([
    ['Authorization: Bearer abc.def-123', `Authorization: Bearer ${REDACTED}`],
    ['"authorization":"bearer abcdefgh"', `"authorization":"bearer ${REDACTED}"`],
    ['FlyV1 fm2_abcdef,fm2_ghijkl', `FlyV1 ${REDACTED}`],
    ['token fm2_lJPECAAAAAAAB1Vw+/= is bad', `token fm2_${REDACTED} is bad`],
    ['fm1r_abcdefgh and fo1_abcdefgh', `fm1r_${REDACTED} and fo1_${REDACTED}`],
  ])('what looks like a credential: %s', (text, redacted) => {
    expect(createRedactor([])(text)).toBe(redacted);
  });

  test.each([
    ['as it is', 'eyJhbGciOi', (token: string) => token],
    ['in base64', '', (token: string) => Buffer.from(token).toString('base64')],
    ['in base64 one on', 'eG', (token: string) => Buffer.from(`x${token}`).toString('base64')],
    ['in base64 two on', 'eHl', (token: string) => Buffer.from(`xy${token}`).toString('base64')],
    ['in hex', '', (token: string) => Buffer.from(token).toString('hex')],
    ['in capital hex', '', (token: string) => Buffer.from(token).toString('hex').toUpperCase()],
  ])('a token of ours %s', (_, kept, write) => {
    const token = 'eyJhbGciOiJIUzI1NiIsImtpZCI6IkEifQ.eyJzdWIiOiJydW4ifQ.c2lnbmF0dXJl';
    const [before, after] = createRedactor([])(`a ${write(token)} b`).split(REDACTED);
    expect(before?.slice(2).startsWith(kept)).toBe(true);
    expect(before?.length).toBeLessThanOrEqual(kept.length + 3);
    expect(after).toBe(' b');
  });

  test('nothing else: other texts, short values, no secrets', () => {
    expect(createRedactor([])('a Bearer of bad news')).toBe('a Bearer of bad news');
    expect(createRedactor(['', 'short', SECRET])('short texts stay')).toBe('short texts stay');
  });

  test('a lone surrogate in a secret does no harm', () => {
    expect(createRedactor(['secret\uD800'])('a secret\uD800 b')).toBe(`a ${REDACTED} b`);
  });
});
