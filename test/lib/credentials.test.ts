import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  credentialsIn,
  credentialsInSlices,
  namesSecret,
  withoutOpaqueTexts,
} from '../../src/lib/secrets/credentials.ts';
import { createRedactor } from '../../src/lib/secrets/redact.ts';
import { webTokensIn } from '../../src/lib/secrets/web-tokens.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const alphabet = (characters: string) => fc.constantFrom(...characters);
const BASE62 = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');

describe('a credential in a payload', () => {
  test.each([
    ['base62', fc.string({ unit: BASE62, minLength: 20, maxLength: 64 })],
    ['base64', fc.uint8Array({ minLength: 15, maxLength: 64 }).map((bytes) => base64(bytes, 'base64'))],
    ['base64url', fc.uint8Array({ minLength: 15, maxLength: 64 }).map((bytes) => base64(bytes, 'base64url'))],
    ['hex', fc.string({ unit: alphabet('0123456789abcdef'), minLength: 20, maxLength: 64 })],
  ])('is every random text of 20 characters or more of %s', (_, secrets) => {
    // One in about 100,000 passes for words, so the texts are always the same. fast-check tends to repeat
    // characters.
    fc.assert(
      fc.property(fc.noBias(secrets as fc.Arbitrary<string>), (secret) => {
        const found = credentialsIn({ prompt: `Use ${secret} to log in,\nplease.` });
        expect(found.map((one) => one.replace(/=+$/, ''))).toContain(secret.replace(/=+$/, ''));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test.each([
    'sk-ant-api03-abcdefghijklmnop',
    'ghp_abcdefghijklmnopqrst',
    'xoxb-1111-2222-thewholething',
    'AKIAIOSFODNN7EXAMPLE',
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.',
    'npm_aaaabbbbccccdddd',
  ])('is what its issuer made recognizable: %s', (secret) => {
    expect(credentialsIn([{ text: `with ${secret} it works` }])).toContain(secret);
  });

  test.each([
    ['postgres://agent:hunter2!@db.example/x', 'hunter2!'],
    ['curl -H "Authorization: Bearer sh0rt-one"', 'sh0rt-one'],
    ['export SERVICE_PASSWORD="hunter2hunter2"', 'hunter2hunter2'],
    ['-----BEGIN KEY-----\nMIIE\n-----END KEY-----', '-----BEGIN KEY-----\nMIIE\n-----END KEY-----'],
  ])('is what occurs in the place of a credential: %s', (text, secret) => {
    expect(credentialsIn({ prompt: text })).toContain(secret);
  });

  test('is everything under a telling name, however deep', () => {
    const payload = {
      mcpServers: { one: { headers: { Authorization: 'swordfish', 'X-Api-Key': 'opensesame' } } },
      db: { password: 'correct horse battery', user: 'somebody' },
      authTokens: [{ value: 'first-one' }, 'second-one', 'tiny'],
      key: 'customer_id',
      sessionKey: 'k3y-123',
      maxTokens: 4_096,
      PWD: '/home/somebody/project-1',
    };
    expect(credentialsIn(payload).toSorted()).toEqual([
      'correct horse battery',
      'first-one',
      'k3y-123',
      'opensesame',
      'second-one',
      'swordfish',
    ]);
    expect(['OPENAI_API_KEY', 'github-token', 'dbPassword'].every(namesSecret)).toBe(true);
    expect(['HOME', 'KEYBOARD', 'TOKENIZER_PATH', 'PASSENGERS'].some(namesSecret)).toBe(false);
  });

  test('is not found in prose, source code, file paths and ids', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !/^generated|\/credentials\.ts$|\/digits\.ts$/.test(path),
    );
    const files = sources.map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'));
    const modules = readdirSync(join(ROOT, 'node_modules/graphql'), { recursive: true, encoding: 'utf8' });
    const ids = ['550e8400-e29b-41d4-a716-446655440000', '2026-11-29T19:00:00.000Z', '1764443400000'];
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(credentialsIn({ files, modules, ids, readme })).toEqual(['abcdefghijklmnopqrstuvwxyz234567']);
  });
});

test('opaque texts are removed from a text, and its words stay', () => {
  expect(withoutOpaqueTexts('commit 9f86d081884c7d659a2feaa0c55ad015 in src/lib/redact.ts', '…')).toBe(
    'commit … in src/lib/redact.ts',
  );
});

function base64(bytes: Uint8Array, encoding: 'base64' | 'base64url'): string {
  return Buffer.from(bytes).toString(encoding);
}

test('JSON Web Tokens are found in linear time, whatever the text repeats', () => {
  const token = `eyJhbGciOiJIUzI1NiJ9.${'a1B2'.repeat(8)}.${'c3D4'.repeat(8)}`;
  expect(credentialsIn({ text: `use ${token}, or -${token}` })).toContain(token);
  // A long word without a dot follows each of these beginnings. Scanning it again from each would take
  // minutes.
  for (const beginning of ['-eyJ', '-eyJhbGciOi']) {
    const text = beginning.repeat(1_000_000);
    expect(webTokensIn(text, 'eyJ')).toEqual([]);
    expect(createRedactor([])(`${text} ${token}`).includes('c3D4')).toBe(false);
  }
});

describe('a text searched in slices', () => {
  const key = 'AKIAIOSFODNN7EXAMPLE';
  const block = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n'.repeat(500)}-----END PRIVATE KEY-----`;

  test.each([
    ['a key', key],
    ['a PEM block of 16 KB', block],
  ])('yields %s wherever it occurs, and nothing that was cut', async (_, secret) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 200_000 }), async (at) => {
        const text = `${'word '.repeat(at / 5)} ${secret} ${'more '.repeat((200_000 - at) / 5)}`;
        let pauses = 0;
        const inSlices = await credentialsInSlices({ text }, async () => {
          pauses += 1;
        });
        expect(inSlices).toEqual(credentialsIn({ text }));
        expect(inSlices).toContain(secret);
        expect(inSlices.filter((found) => !secret.includes(found))).toEqual([]);
        expect(pauses).toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
  });

  test('pauses between many short values, too', async () => {
    let pauses = 0;
    const values = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${index}`, index]));
    await credentialsInSlices(values, async () => {
      pauses += 1;
    });
    expect(pauses).toBeGreaterThanOrEqual(9);
  });
});
