import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMatcher } from '../../src/lib/secrets/matcher.ts';
import { createRedactor, prepareRedactor, REDACTED } from '../../src/lib/secrets/redact.ts';
import { createSearch } from '../../src/lib/secrets/search.ts';
import { significant } from '../../src/lib/secrets/unseen.ts';

const SECRET = 'hunter2/+é<&>"\\ secret';

/** Any text with six or more significant characters, including the first and the last. */
const SECRETS = fc
  .string({ minLength: 6, unit: 'binary' })
  .map((text) => `a${text}b`)
  .filter((text) => significant(text).length >= 6);

/** Keys as programs generate them. */
const KEYS = fc
  .tuple(
    fc.uint8Array({ minLength: 6, maxLength: 150 }),
    fc.constantFrom('base64', 'base64url', 'hex'),
    fc.constantFrom('', 'sk-proj-', 'ghp_'),
  )
  .map(([bytes, encoding, prefix]) => prefix + Buffer.from(bytes).toString(encoding))
  // A plus sign is skipped, so one at the edge of a secret would stay.
  .map((key) => `k${key}k`);

/** Encodings that people decode at a glance, or programs do. */
const WRITINGS = {
  'as it is': (bytes: Buffer) => bytes.toString(),
  'in JSON': (bytes: Buffer) => JSON.stringify(bytes.toString()),
  'in JSON in JSON': (bytes: Buffer) => JSON.stringify(JSON.stringify(bytes.toString())),
  'in escapes of JSON': (bytes: Buffer) =>
    [...bytes.toString('latin1')].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  'in escapes of C': (bytes: Buffer) => bytes.toString('hex').replace(/../g, '\\x$&'),
  'in a URL': (bytes: Buffer) => encodeURIComponent(bytes.toString()),
  'in a URL, all escaped': (bytes: Buffer) => bytes.toString('hex').replace(/../g, '%$&'),
  'in hex': (bytes: Buffer) => bytes.toString('hex'),
  'in uppercase hex': (bytes: Buffer) => bytes.toString('hex').toUpperCase(),
  'in base64': (bytes: Buffer) => bytes.toString('base64'),
  'in base64url': (bytes: Buffer) => bytes.toString('base64url'),
} as const;

/** What programs and terminals insert between characters. */
const BREAKS = ['\n', '\r\n', '\n    ', ' ', '\u001b[0m\u001b[1;31m', '\u001b]0;a title\u0007', '\\\n'];

/** Programs that write escapes do not split them. */
function columnsOf(written: string, columns: number): number {
  if (/^(?:(?:\\u.{4})+|(?:\\x.{2})+|(?:%.{2})+)$/.test(written)) return 12 * Math.ceil(columns / 12);
  return /[\\%]/.test(written) ? written.length : columns;
}

const wrapped = (text: string, width: number, between: string): string =>
  text.replace(new RegExp(`.{${width}}(?=.)`, 'gs'), (line) => line + between);

describe('a redactor removes', () => {
  test.each([
    ['the value itself', SECRET],
    ['in JSON', JSON.stringify(SECRET).slice(1, -1)],
    ['in Go’s JSON', 'hunter2/+é\\u003c\\u0026\\u003e\\"\\\\ secret'],
    ['in a URL', encodeURIComponent(SECRET)],
    ['in a URL with lowercase hex', encodeURIComponent(SECRET).toLowerCase()],
    ['in a form', encodeURIComponent(SECRET).replaceAll('%20', '+')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
    ['in uppercase hex', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
  ])('%s', (_, written) => {
    const redact = createRedactor(['something else', SECRET]);
    expect(redact(written)).toBe(REDACTED);
    expect(redact(`a ${written}, b ${written}`)).toBe(`a ${REDACTED}, b ${REDACTED}`);
  });

  test('any secret in base64, wherever it occurs in a longer text and whatever surrounds it', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    fc.assert(
      fc.property(SECRETS, bytes, bytes, (secret, before, after) => {
        const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');
        const [start = '', end = ''] = createRedactor([secret])(encoded).split(REDACTED);
        // Nothing of the secret can be decoded from the rest.
        expect(start.length * 6).toBeLessThanOrEqual(before.length * 8);
        const padded = end.replaceAll('=', '');
        expect(padded.length * 6).toBeLessThanOrEqual(after.length * 8 + 6);
        expect(encoded.length).toBeGreaterThan(start.length + end.length);
      }),
    );
  });

  test('a key in every encoding, wrapped at any width, with anything around it', () => {
    const around = fc.string({ maxLength: 10, unit: fc.constantFrom('x', '-', '=', '.', '7') });
    const writing = fc.constantFrom(...Object.values(WRITINGS));
    const between = fc.constantFrom(...BREAKS);
    const width = fc.oneof(fc.constantFrom(60, 64, 76), fc.integer({ min: 1, max: 80 }));
    fc.assert(
      fc.property(
        KEYS,
        writing,
        width,
        between,
        around,
        around,
        (key, write, columns, gap, before, after) => {
          const written = write(Buffer.from(key));
          const whole = wrapped(written, columnsOf(written, columns), gap);
          const [start, end, ...more] = createRedactor([key])(`${before}|${whole}|${after}`).split(REDACTED);
          expect([
            start!.replaceAll(gap, '').replace(/"|\\/g, ''),
            end!.replaceAll(gap, '').replace(/[="\\]/g, ''),
            more,
          ]).toEqual([`${before}|`, `|${after.replaceAll('=', '')}`, []]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('all of two secrets that overlap or contain each other', () => {
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
    ['as it is', '', (token: string) => token],
    ['in base64', '', (token: string) => Buffer.from(token).toString('base64')],
    ['in base64 at offset 1', 'e', (token: string) => Buffer.from(`x${token}`).toString('base64')],
    ['in base64 at offset 2', 'eH', (token: string) => Buffer.from(`xy${token}`).toString('base64')],
    ['in hex', '', (token: string) => Buffer.from(token).toString('hex')],
    ['in uppercase hex', '', (token: string) => Buffer.from(token).toString('hex').toUpperCase()],
  ])('the server’s own token %s', (_, kept, write) => {
    const token =
      'eyJhbGciOiJIUzI1NiIsImtpZCI6IkEifQ.eyJzdWIiOiJydW4ifQ.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF';
    const [before, after] = createRedactor([])(`a ${write(token)} b`).split(REDACTED);
    expect(before?.slice(2).startsWith(kept)).toBe(true);
    expect(before?.length).toBeLessThanOrEqual(kept.length + 3);
    expect(after).toBe(' b');
  });

  test('the server’s own token when it is wrapped, plain or in base64, and nothing after it', () => {
    const token = `eyJhbGciOiJIUzI1NiIsImtpZCI6IkEifQ.${'eyJ3cyI6'.repeat(20)}.${'c2ln'.repeat(10)}bmF`;
    const folded = wrapped(token, 60, '\n');
    const encoded = wrapped(Buffer.from(token).toString('base64'), 76, '\n');
    expect(createRedactor([])(`a ${folded}\nnext\n${encoded}\nlast`)).toBe(
      `a ${REDACTED}\nnext\n${REDACTED}\nlast`,
    );
  });

  test('the lines of a multi-line secret, and the credentials in a JSON secret', () => {
    const pem = '-----BEGIN A KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END A KEY-----';
    const account = JSON.stringify({ type: 'account', id: 'agent@example.com', private_key: pem });
    const redact = createRedactor([account]);
    expect(redact(pem)).toBe(REDACTED);
    expect(redact('a hkiG9w0BAQEFAASC b')).toBe(`a ${REDACTED} b`);
    expect(redact('agent@example.com')).toBe('agent@example.com');
  });

  test('the first 16 KiB of secrets, and every opaque text if there are more', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => `opensesame-${index}-opensesame`);
    const redact = createRedactor(many);
    const opaque = '4fJx2Kq9ZbW7mT1vQpLs';
    expect(redact(`${many[0]} ${opaque} ordinary words`)).toBe(`${REDACTED} ${REDACTED} ordinary words`);
    expect(createRedactor(many.slice(0, 20))(opaque)).toBe(opaque);
    expect(prepareRedactor(many).heldBytes).toBeLessThan(2 * 1024 * 1024);
  });

  test('nothing else: other texts, short values, no secrets', () => {
    expect(createRedactor([])('a Bearer of bad news')).toBe('a Bearer of bad news');
    expect(createRedactor(['', 'short', SECRET])('short texts stay')).toBe('short texts stay');
  });

  test('secrets even if one contains a lone surrogate', () => {
    expect(createRedactor(['sec\uD800ret'])('a sec\uD800ret b')).toBe(`a ${REDACTED} b`);
  });

  test('a secret in a terminal command and the same one after the command', () => {
    const redact = createRedactor(['hunter2secret']);
    expect(redact('\u001b]0;hunter2secret\u0007 and hunter2secret')).toBe(
      `\u001b]0;${REDACTED}\u0007 and ${REDACTED}`,
    );
  });

  test.each([
    '\b',
    '\u009bm',
    '\u001b(B',
    '\u001b',
    '\u001b7',
    '\u001bOP',
    '\u001b[m',
    '\u001b$(C',
    '\u001b]\n',
  ])('a secret before %j and another one after it, however the control is read', (control) => {
    const redact = createRedactor(['hunter2secret', 'another-secret']);
    expect(redact(`hunter2secret${control}another-secret`)).not.toMatch(/unter|ecre|nothe/);
  });
});

/** Terminal sequences that every terminal reads alike. */
const SEQUENCES = [
  '\u001b7',
  '\u001b8',
  '\u001b=',
  '\u001b>',
  '\u001bM',
  '\u001bc',
  '\u001bOP',
  '\u001b F',
  '\u001b$(C',
  '\u001b%G',
  '\u001b#8',
  '\u001b[0m\u001b[1;31m',
  '\u001b[1 q',
  '\u001b]0;a title\u0007',
  '\u001b]8;;https://example.com\u001b\\',
  '\u001bka title\u001b\\',
  '\u009b31m',
];

/** Sequences that are long or contain controls. */
const LONG_SEQUENCES = [
  `\u001b[${'0;'.repeat(40)}m`,
  '\u001b[3\n1m',
  '\u001b[3\b1m',
  '\u001b]0;ti\ntle\u0007',
  `\u001b]1337;File=inline=1:${'A'.repeat(4_200)}\u0007`,
  `\u001bPq${'#0;2;0;0;0~~@@vv$'.repeat(300)}\u001b\\`,
];

/** Characters that backspaces erase, by their width in a terminal. */
const ERASED = ['X\b', 'あ\b\b', '😀\b\b', 'X\u200b\b', 'a\u0301\b', 'X\u001b[1m\b'];

/** What terminals do not show, or show as one mark. The last ones are ambiguous to a reader. */
const TEARS = {
  ...Object.fromEntries(SEQUENCES.map((sequence) => [JSON.stringify(sequence), sequence])),
  ...Object.fromEntries(LONG_SEQUENCES.slice(0, 4).map((sequence) => [JSON.stringify(sequence), sequence])),
  'a shift of the next character': '\u001bN',
  'a wide character that is erased': 'あ\b\b',
  'a zero-width character behind one that is erased': 'X\u200b\b',
  'a mark on a character that is erased': 'a\u0301\b',
  'a color in 8-bit controls': '\u009b1;31m',
  'a reset in 8-bit controls': '\u009bm',
  'a title in 8-bit controls': '\u009d0;title\u009c',
  'a change of character set': '\u001b(B\u001b[m',
  'a C1 control': '\u0085',
  'a C1 control that begins a sequence': '\u009b',
  'a C1 control that begins a command': '\u0090',
  'an invalid byte': '\ufffd',
  'a zero-width space': '\u200b',
  'a zero-width non-joiner': '\u200c',
  'a zero-width joiner': '\u200d',
  'a word joiner': '\u2060',
  'a byte order mark': '\ufeff',
  'a soft hyphen': '\u00ad',
  'a direction override': '\u202e',
  'a no-break space': '\u00a0',
  'a character that is erased': '\u00d7\b',
  'an erasure with a space': 'x\b \b',
};

/** How programs write a character: only ones that use the same escapes. */
const octal = (byte: number) => `\\${byte.toString(8).padStart(3, '0')}`;
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0');
const codeOf = (character: string) => character.codePointAt(0)!;
const ESCAPES = {
  bytes: [
    (character: string) => character,
    (character: string) => Buffer.from(character).toString('hex').replace(/../g, '\\x$&'),
    (character: string) => [...Buffer.from(character)].map(octal).join(''),
    (character: string) => `\\u{${hex(codeOf(character), 1)}}`,
    (character: string) => `\\U${hex(codeOf(character), 8)}`,
    (character: string) => JSON.stringify(character).slice(1, -1),
  ],
  characters: [
    (character: string) => character,
    (character: string) =>
      codeOf(character) < 0x100 ? `\\x${hex(codeOf(character), 2)}` : `\\u{${hex(codeOf(character), 4)}}`,
    (
      character: string, // A zero before other digits is read as in Rust.
    ) => (codeOf(character) >= 0o100 && codeOf(character) < 0x100 ? octal(codeOf(character)) : character),
    (character: string) => character.replace(/./gs, (half) => `\\u${hex(half.charCodeAt(0), 4)}`),
    (character: string) => `\\x{${hex(codeOf(character), 1)}}`,
    (character: string) => `\\U${hex(codeOf(character), 8)}`,
  ],
} as const;

/** Forms that may occur together: all of them are read in one way in the same reading of the text. */
const COMPOSITIONS = [
  { escapes: ESCAPES.bytes, gaps: [...SEQUENCES, '\\a', '\\v', '\\e', '\\E', '\\012', '\\x1b'] },
  { escapes: ESCAPES.bytes, gaps: [...SEQUENCES, ...LONG_SEQUENCES.slice(0, 5)] },
  { escapes: ESCAPES.bytes, gaps: [...SEQUENCES, ...ERASED] },
  { escapes: ESCAPES.characters, gaps: [...SEQUENCES, '\\0', '\\a', '\\v', '\\e', '\\x85'] },
] as const;

describe('a redactor removes a secret that is torn by', () => {
  const key = 'sk-proj_1f4a9c07d2b86e35';

  test.each(Object.entries(TEARS))('%s, between any two characters or all of them', (_, tear) => {
    const redact = createRedactor([key]);
    for (const write of [WRITINGS['as it is'], WRITINGS['in hex'], WRITINGS['in base64']]) {
      const written = write(Buffer.from(key));
      for (let at = 1; at < written.length; at += 1) {
        expect(redact(`a ${written.slice(0, at)}${tear}${written.slice(at)} b`)).toBe(`a ${REDACTED} b`);
      }
      expect(redact(`a ${wrapped(written, 1, tear)} b`)).toBe(`a ${REDACTED} b`);
    }
  });

  test.each([
    ['bold', (text: string) => text.replace(/./g, '$&\b$&')],
    ['very bold', (text: string) => text.replace(/./g, '$&\b$&\b$&')],
    ['underlined', (text: string) => text.replace(/./g, '_\b$&')],
    ['underlined afterwards', (text: string) => text.replace(/./g, '$&\b_')],
    [
      'underlined as a word',
      (text: string) =>
        text.replace(/.+/, (word) => word + '\b'.repeat(word.length) + '_'.repeat(word.length)),
    ],
    ['bold and colored', (text: string) => text.replace(/./g, '$&\u001b[1m\b$&')],
    ['erased from an underscore', (text: string) => `${text.slice(0, 6)}x\b_\bx\b${text.slice(6)}`],
    ['corrected', (text: string) => `${text.slice(0, 5)}xyz\b\b\b${text.slice(5)}`],
    ['bold and marked', (text: string) => text.replace(/./g, '$&\u0301\b$&')],
    ['corrected in wide characters', (text: string) => `${text.slice(0, 5)}日本\b\b\b\b${text.slice(5)}`],
    ['corrected as if none were wide', (text: string) => `${text.slice(0, 5)}日本\b\b${text.slice(5)}`],
    ['printed and erased', (text: string) => text + '\b \b'.repeat(text.length)],
  ])('overstrikes: %s', (_, overstrike) => {
    const redact = createRedactor([key]);
    for (const write of [WRITINGS['as it is'], WRITINGS['in hex'], WRITINGS['in base64']]) {
      const shown = redact(`a ${overstrike(write(Buffer.from(key)))} b`);
      expect(shown).toMatch(/^a \[redacted\][\b_= ]* b$/);
    }
  });

  test.each(['\u001b', '\u009b', '\u0090', '\u008f'])('%j alone before any of its characters', (control) => {
    const secret = 'sk-[31m]P^_XkNOM(B=>c$7_';
    const redact = createRedactor([secret]);
    for (let at = 1; at < secret.length; at += 1) {
      expect(redact(`a ${secret.slice(0, at)}${control}${secret.slice(at)} b`)).toBe(`a ${REDACTED} b`);
    }
  });

  test.each(['\u001b[', '\u001b]', '\u001bP', '\u001bO', '\u001b', '\u001b[1;'])(
    'nothing, behind %j',
    (control) => {
      for (const secret of ['m12345-secret', '12345secret', 'Bsecret-12345', ';123456m']) {
        expect(createRedactor([secret])(`a ${control}${secret}\u0007 b`)).not.toMatch(/ecre|234/);
      }
    },
  );

  test('a secret that contains a terminal sequence', () => {
    for (const sequence of [...SEQUENCES, '\u001bN', '\u009b', '\b', '\u001b[31m']) {
      const secret = `ab${sequence}cdefgh`;
      for (const write of [
        WRITINGS['as it is'],
        WRITINGS['in JSON'],
        WRITINGS['in hex'],
        WRITINGS['in base64'],
      ])
        expect(createRedactor([secret])(write(Buffer.from(secret))), JSON.stringify(secret)).toMatch(
          /^"?\[redacted\]=*"?$/,
        );
    }
  });

  test.each(LONG_SEQUENCES)('a long sequence, anywhere in any encoding', (sequence) => {
    for (const write of [WRITINGS['as it is'], WRITINGS['in hex'], WRITINGS['in base64']]) {
      const written = write(Buffer.from(key));
      for (let at = 1; at < written.length; at += 5) {
        const shown = createRedactor([key])(`a ${written.slice(0, at)}${sequence}${written.slice(at)} b`);
        expect(shown).toBe(`a ${REDACTED} b`);
      }
    }
  });

  test('sequences, escapes and backspaces in any composition', () => {
    const unit = fc.constantFrom('a', 'F', '7', '0', '-', '_', '/', 'é', 'ÿ', 'д', 'あ', '😀');
    const secrets = fc
      .array(unit, { minLength: 6, maxLength: 20 })
      .map((characters) => ['k', ...characters, 'k']);
    const choices = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.boolean()), { minLength: 22, maxLength: 22 });
    fc.assert(
      fc.property(secrets, choices, fc.constantFrom(...COMPOSITIONS), (secret, chosen, { escapes, gaps }) => {
        const written = secret.map((character, at) => {
          const [form, gap, isTorn] = chosen[at]!;
          const isInside = isTorn && at < secret.length - 1;
          return escapes[form % escapes.length]!(character) + (isInside ? gaps[gap % gaps.length]! : '');
        });
        expect(createRedactor([secret.join('')])(`|${written.join('')}|`)).toBe(`|${REDACTED}|`);
      }),
      { numRuns: 500 },
    );
  });

  test('raw bytes that are not UTF-8', async () => {
    const redactor = prepareRedactor([key]);
    const tears = [
      [0xff],
      [0x85],
      [0x9b],
      [0x9b, 0x33, 0x31, 0x6d],
      [0xe2, 0x80],
      [0xf0, 0x9f],
      [0x9d, 0x9c],
    ];
    for (const tear of tears) {
      for (let at = 1; at < key.length; at += 1) {
        const parts = [`a ${key.slice(0, at)}`, Buffer.from(tear), `${key.slice(at)} b`];
        const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
        expect(await redactor.redactTail(bytes, 0, () => Promise.resolve())).toBe(`a ${REDACTED} b`);
      }
    }
  });

  test.each([':', ' ', '-', '\n', ':\n    '])('%j between the bytes of its hex', (between) => {
    for (const hex of [WRITINGS['in hex'], WRITINGS['in uppercase hex']]) {
      const written = wrapped(hex(Buffer.from(key)), 2, between);
      expect(createRedactor([key])(`a ${written} b`)).toBe(`a ${REDACTED} b`);
    }
  });

  test('several of them, anywhere, in any encoding', () => {
    // What is read in one way only: a control that may begin a sequence is, or is not, throughout a text, and
    // a character that is erased at the end of a line stays visible.
    const clear = Object.values(TEARS).filter(
      (tear) => !/^[\u0090\u009b]$|[\b]/.test(tear) && ![...LONG_SEQUENCES, '\u001bN'].includes(tear),
    );
    const tears = fc.constantFrom(...clear, ...BREAKS.filter((gap) => !gap.includes('\\')));
    const writing = fc.constantFrom(WRITINGS['as it is'], WRITINGS['in hex'], WRITINGS['in base64url']);
    const places = fc.uniqueArray(fc.tuple(fc.nat(), tears), { maxLength: 6, selector: ([at]) => at });
    fc.assert(
      fc.property(KEYS, writing, places, (text, write, given) => {
        const written = write(Buffer.from(text));
        const torn = given
          .map(([at, tear]) => [1 + (at % (written.length - 1)), tear] as const)
          .toSorted(([one], [other]) => other - one)
          .reduce((rest, [at, tear]) => rest.slice(0, at) + tear + rest.slice(at), written);
        expect(createRedactor([text])(`|${torn}|`)).toMatch(/^\|\[redacted\]=*\|$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a redactor removes a secret in the escapes of', () => {
  test.each([
    ['git', 'pässwörd-x', '"p\\303\\244ssw\\303\\266rd-x"'],
    ['git, in JSON', 'pässwörd-x', '"p\\\\303\\\\244ssw\\\\303\\\\266rd-x"'],
    ['C', 'ab\u0007\u000b\u001bcdefgh', '"ab\\a\\v\\033cdefgh"'],
    ['Bash', "ab\u001b'cdéfgh", "$'ab\\E\\'cd\\303\\251fgh'"],
    ['Python’s bytes', 'pässwörd-x', "b'p\\xc3\\xa4ssw\\xc3\\xb6rd-x'"],
    ['Python', 'pä😀sswörd-x', "'p\\xe4\\U0001f600ssw\\xf6rd-x'"],
    ['JavaScript', 'pä😀sswörd-x', "'p\\xe4\\u{1f600}ssw\\xf6rd-x'"],
    ['Rust', 'pä\u000012sswörd-x', '"p\\u{e4}\\012ssw\\u{f6}rd-x"'],
    ['Perl', 'pä😀sswörd-x', '"p\\x{e4}\\x{1f600}ssw\\x{f6}rd-x"'],
    ['LDAP', 'hunter2-secret', '\\68\\75\\6e\\74\\65\\72\\32\\2d\\73\\65\\63\\72\\65\\74'],
  ])('%s', (_, secret, text) => {
    expect(createRedactor([secret])(`say ${text}!`)).toMatch(/^say [b$]?["'\\]?\[redacted\]["']?!$/);
  });

  test('nothing, behind a backslash that begins no escape', () => {
    for (const key of ['1234567-secret', 'vault-secret', 'U0001f600-secret', 'u{e4}-secret', 'E-secret-x'])
      for (const write of [WRITINGS['as it is'], WRITINGS['in hex'], WRITINGS['in base64']])
        expect(createRedactor([key])(`C:\\${write(Buffer.from(key))}`)).toMatch(/^C:\\?\[redacted\]=*$/);
  });
});

describe('a redactor keeps', () => {
  test.each([
    ['a text in other letters', 'пароль-секрет', 'пароль-секрес'],
    ['letters that end alike', '日本語のパスワード', '日本語のパスワート'],
    ['accents', 'pässwörd', 'password'],
    ['hex of something else', 'hunter2secret', '68:75:6e:74:65:72:33:73:65:63:72:65:74'],
    ['times and addresses', 'hunter2secret', '12:34:56 fe80::1 00:1a:2b:3c:4d:5e'],
  ])('%s that are not the secret', (_, secret, text) => {
    expect(createRedactor([secret])(text)).toBe(text);
    expect(createRedactor([secret])(`${text} ${secret}`)).toBe(`${text} ${REDACTED}`);
  });

  test('every byte of a text without secrets, whatever it contains', () => {
    const parts = fc.constantFrom(
      'a',
      '_',
      'é',
      '\u2014',
      '\ufffd',
      '\u200b',
      '\b',
      '\n',
      '\u001b',
      '[3',
      ']',
      '\u009b',
      '\u009c',
      '\u0007',
      ':',
      '\\',
      'O',
      ' ',
      '7',
      '$(B',
      'P',
      'k',
      '\u0018',
      '\\x9',
      '\\30',
      '\\u{1f600',
      '}',
      'あ',
      '\u0301',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        expect(createRedactor(['hunter2secret'])(text)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

test('the work of a search grows linearly with the text, whatever it contains', () => {
  const matcher = createMatcher([significant('hunter2secret')]);
  const texts = [
    '\b',
    'a\b',
    '\u009d',
    '\u009b3',
    '\u001b]',
    '\u001b]\b',
    '\u0090a\u001b\\',
    '\u001b[',
    '\\u00',
    '%6',
    '\u001b(',
    '\u009d\n\b',
    '\u001b]\n',
    '\u001b[3\n',
    '\u001b[3\b',
    '\u001b ',
    '\u001bk',
    '\u001bO',
    '\u008f',
    '\\3',
    '\\u{1',
    '\\0',
    'a\u0301\b',
    '\u0301\b',
    'あ\b_',
    'あ\u001b[m\b\b',
  ];
  for (const bytes of [
    ...texts.map((text) => Buffer.from(text)),
    Buffer.from([0x9d]),
    Buffer.from([0xe2, 0x80]),
  ]) {
    const reads = (length: number) => {
      let count = 0;
      const source = Buffer.alloc(length, bytes);
      const counted = new Proxy(source, {
        get: (target, key) => {
          if (typeof key === 'string' && /^\d+$/.test(key)) count += 1;
          return Reflect.get(target, key, target);
        },
      });
      createSearch(counted, matcher).ranges(true);
      return count;
    };
    const [short, long] = [reads(1_500), reads(9_000)];
    expect(long, JSON.stringify(bytes.toString('latin1'))).toBeLessThan(7 * short + 100);
  }
});

describe('a redactor of the end of a text removes', () => {
  const key = 'sk-proj-1f4a9c07d2b86e35';
  const pause = () => Promise.resolve();

  test('a secret that the cut divides anywhere', async () => {
    const redactor = prepareRedactor([key]);
    for (const write of Object.values(WRITINGS)) {
      const written = write(Buffer.from(key));
      const text = `before ${wrapped(written, columnsOf(written, 30), '\n')} after`;
      const bytes = Buffer.from(text);
      for (let from = 8; from < bytes.length - 10; from += 1) {
        expect(await redactor.redactTail(bytes, from, pause)).toMatch(/^["\\]*\[redacted\][="\\]* after$/);
      }
    }
  });

  test('the beginning of a secret whose rest has not been printed yet', async () => {
    const redactor = prepareRedactor([key]);
    for (let length = 6; length <= key.length; length += 1) {
      const bytes = Buffer.from(`before ${key.slice(0, length)}`);
      expect(await redactor.redactTail(bytes, 0, pause)).toBe(`before ${REDACTED}`);
    }
  });

  test('as much as without slices, with a pause after each 16 KiB', async () => {
    const text = `${'x'.repeat(65_530)}${key}${'y'.repeat(65_600)}\u001b[0m${key} z`;
    let pauses = 0;
    const redactor = prepareRedactor([key]);
    const redacted = await redactor.redactTail(Buffer.from(text), 0, async () => {
      pauses += 1;
    });
    expect(redacted).toBe(redactor.redact(text));
    expect(redacted.split(REDACTED)).toHaveLength(3);
    expect(pauses).toBe(8);
  });
});
