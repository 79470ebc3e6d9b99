import { afterEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/client/request/address.ts';

afterEach(() => void vi.unstubAllGlobals());

describe('the address of a server', () => {
  test.each([
    ['http://host:4000', 'http://host:4000/graphql'],
    ['http://host:4000/', 'http://host:4000/graphql'],
    ['http://host:4000/graphql', 'http://host:4000/graphql'],
    ['http://host:4000/graphql/', 'http://host:4000/graphql'],
    ['https://host/feed', 'https://host/feed/graphql'],
    ['https://host/feed/graphql?a=1#b', 'https://host/feed/graphql?a=1'],
    ['ws://host:4000', 'http://host:4000/graphql'],
    ['wss://host/graphql', 'https://host/graphql'],
  ])('is accepted with and without /graphql: %s', (given, address) => {
    expect(addressOf(given)).toBe(address);
    expect(addressOf(new URL(given))).toBe(address);
  });

  test('may be relative in a page', () => {
    vi.stubGlobal('location', { href: 'https://site.test/runs/r?x=1' });
    expect(addressOf('/graphql')).toBe('https://site.test/graphql');
    expect(addressOf('/')).toBe('https://site.test/graphql');
    expect(addressOf('http://other.test')).toBe('http://other.test/graphql');
  });

  test.each([
    ['/graphql', 'only pages may use a relative one'],
    ['10.0.0.7:4000', 'only pages may use a relative one'],
    ['localhost:4000', 'must begin with http:'],
    ['ftp://host', 'must begin with http:'],
    ['http://user:pass@host', 'pass a token'],
  ])('is refused with an error that does not repeat it: %s', (given, words) => {
    expect(() => addressOf(given)).toThrow(TypeError);
    expect(() => addressOf(given)).toThrow(words);
    expect(() => addressOf(given)).not.toThrow(given);
  });
});
