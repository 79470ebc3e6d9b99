import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { validateRunnerEventBatch } from '../../src/contract/index.ts';
import { accepted, anyEvents, batchOf, batchWithData, codeOf, eventOf, refused } from './batches.ts';

const TRAPS = [
  'get',
  'has',
  'ownKeys',
  'getOwnPropertyDescriptor',
  'getPrototypeOf',
  'isExtensible',
] as const;

function fail(): never {
  throw new Error('trap');
}

function throwing(target: object, traps: readonly string[]): object {
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, fail])));
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Puts a value in each place where a batch can hold one. */
const places: readonly (readonly [string, (bad: unknown) => unknown])[] = [
  ['the batch', (bad) => bad],
  ['v', (v) => batchOf([eventOf()], { v })],
  ['runId', (runId) => batchOf([eventOf()], { runId })],
  ['events', (events) => batchOf(events)],
  ['an event', (event) => batchOf([event])],
  ['seq', (seq) => batchOf([eventOf({ seq })])],
  ['tMs', (tMs) => batchOf([eventOf({ tMs })])],
  ['kind', (kind) => batchOf([eventOf({ kind })])],
  ['data', (data) => batchWithData(data)],
  ['a member of data', (member) => batchWithData({ member })],
  ['an element in data', (element) => batchWithData({ list: [element] })],
];

describe('any input', () => {
  it.each(places)('gets a verdict, and never an exception: any value as %s', (_, put) => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, (bad) => {
        const verdict = validateRunnerEventBatch(put(bad));
        if (!verdict.ok) expect(verdict.message.length).toBeLessThan(300);
      }),
    );
  });

  it.each(places)('is refused without an exception: revoked and throwing proxies as %s', (_, put) => {
    for (const target of [{}, [1], () => 1]) {
      expect(refused(put(revoked(target))).message).not.toBe('');
    }
    fc.assert(
      fc.property(
        fc.subarray([...TRAPS], { minLength: 1 }),
        fc.constantFrom({ a: 1 }, [1]),
        (traps, target) => {
          const verdict = validateRunnerEventBatch(put(throwing(target, traps)));
          expect(typeof verdict.ok).toBe('boolean');
        },
      ),
    );
    expect(refused(put(throwing({ a: 1 }, TRAPS))).message).not.toBe('');
    expect(refused(put(throwing([1], TRAPS))).message).not.toBe('');
  });

  it('counts a property that throws when read as absent', () => {
    const throwingAt = (object: object, name: string) =>
      Object.defineProperty(object, name, { enumerable: true, get: fail });
    expect(refused(throwingAt(batchOf([eventOf()]), 'v')).message).toBe('v must be 1, got undefined');
    expect(codeOf(throwingAt(batchOf([eventOf()]), 'runId'))).toBe('missing_run_id');
    expect(codeOf(throwingAt(batchOf([eventOf()]), 'events'))).toBe('empty_batch');
    for (const name of ['seq', 'tMs', 'kind', 'data']) {
      const refusal = refused(batchOf([throwingAt(eventOf(), name)]));
      expect(refusal.code).toBe('invalid_event');
      expect(refusal.message).toMatch(new RegExp(`^events\\[0\\]\\.${name} .* got undefined$`));
    }
    expect(codeOf(throwingAt(batchOf([eventOf()]), 'extra'))).toBe('accepted');
  });

  it('is refused if its data has an own enumerable key that throws when read, at any level', () => {
    const trapped = Object.defineProperty({}, 'secret', { enumerable: true, get: fail });
    expect(refused(batchWithData(trapped))).toMatchObject({
      code: 'invalid_event',
      message: 'events[0].data.secret cannot be read',
    });
    expect(refused(batchWithData({ list: [0, trapped] })).message).toBe(
      'events[0].data.list[1].secret cannot be read',
    );
    const hidden = Object.defineProperty({ seen: 1 }, 'secret', { enumerable: false, get: fail });
    expect(codeOf(batchWithData(hidden))).toBe('accepted');
  });

  it('has each property read once', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const reads = new Map<string, number>();
        const counted = (value: unknown, path: string): unknown => {
          if (typeof value !== 'object' || value === null) return value;
          return new Proxy(value, {
            get(target, key) {
              const place = `${path}/${JSON.stringify(key)}`;
              reads.set(place, (reads.get(place) ?? 0) + 1);
              return counted(Reflect.get(target, key), place);
            },
          });
        };
        accepted(counted(batchOf(events), ''));
        expect(reads.size).toBeGreaterThan(6);
        expect([...reads].filter(([, count]) => count !== 1)).toStrictEqual([]);
      }),
    );
  });

  it('keeps the first value of a getter whose value changes', () => {
    let seq = 6;
    const event = Object.defineProperty(eventOf(), 'seq', {
      enumerable: true,
      get: () => {
        seq += 1;
        return seq === 7 ? seq : 'changed';
      },
    });
    expect(accepted(batchOf([event])).events[0]?.seq).toBe(7);
  });
});

describe('nesting', () => {
  function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
    let inner: unknown = {};
    for (let level = 1; level < levels; level++) inner = wrap(inner);
    return inner;
  }

  it.each([513, 1_000_000])('of %i levels is refused with a message about the depth', (levels) => {
    const tooDeep = { code: 'invalid_event', message: 'events[0].data nests deeper than 512 levels' };
    expect(refused(batchWithData(nested(levels, (inner) => ({ inner }))))).toMatchObject(tooDeep);
    expect(refused(batchWithData({ list: nested(levels, (inner) => [inner]) }))).toMatchObject(tooDeep);
  });

  it('in a cycle is refused as a cycle, however long the cycle is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 200 }),
        fc.boolean(),
        (round, tail, list) => {
          const last: { next?: unknown } = {};
          let first: object = last;
          for (let level = 1; level < round; level++) first = list ? [first] : { first };
          last.next = first;
          let data: object = { first };
          for (let level = 0; level < tail; level++) data = { data };
          expect(refused(batchWithData(data))).toMatchObject({
            code: 'invalid_event',
            message: 'events[0].data contains itself, which JSON cannot carry',
          });
        },
      ),
    );
  });

  it('with two shared members at every level is refused before it fills the memory', () => {
    let data: object = {};
    for (let level = 0; level < 200; level++) data = { a: data, b: data };
    expect(refused(batchWithData(data)).message).toMatch(/ exceeds the limit of 10000000 values in a batch$/);
  });

  it('of a million proxies does not overflow the stack', () => {
    for (const innermost of [{}, [1]]) {
      let proxy: object = innermost;
      for (let level = 0; level < 1_000_000; level++) proxy = new Proxy(proxy, {});
      for (const [, put] of places) expect(refused(put(proxy)).message).not.toBe('');
    }
  });

  it('that a proxy invents without end is refused', () => {
    const endless = (): object => new Proxy({ a: 1, b: 1 }, { get: () => endless() });
    expect(refused(batchWithData(endless())).message).toContain('deeper than 512 levels');
  });
});

describe('an invented length', () => {
  const lengthOf = (length: unknown) =>
    new Proxy([], { get: (_, key) => (key === 'length' ? length : eventOf({ seq: Number(key) })) });

  it('of events is refused without iterating over them', () => {
    for (const length of [257, 2 ** 32 - 1, Number.MAX_VALUE, Infinity]) {
      expect(codeOf(batchOf(lengthOf(length)))).toBe('batch_too_large');
    }
    for (const length of [0, -1, 0.9, Number.NaN, -Infinity, '3', null, {}, 3n]) {
      expect(codeOf(batchOf(lengthOf(length)))).toBe('empty_batch');
    }
    expect(accepted(batchOf(lengthOf(2.9))).events).toHaveLength(2);
  });

  it('in data is refused without iterating over it', () => {
    const tooMany = 'events[0].data.list exceeds the limit of 10000000 values in a batch';
    for (const list of [lengthOf(2 ** 32 - 1), lengthOf(Infinity), new Array(2 ** 32 - 1)]) {
      expect(refused(batchWithData({ list })).message).toBe(tooMany);
    }
    expect(refused(batchWithData({ list: Buffer.alloc(400_000_000) })).message).toBe(tooMany);
    expect(refused(batchWithData({ list: new String('x'.repeat(400_000_000)) })).message).toBe(tooMany);
    expect(accepted(batchWithData({ list: lengthOf(-5) })).events[0]?.data).toStrictEqual({ list: [] });
  });

  it('of a sparse array is refused at its first hole', () => {
    const list = [1];
    list.length = 3;
    expect(refused(batchWithData({ list })).message).toBe(
      'events[0].data.list[1] must be something that JSON can carry, got undefined',
    );
  });
});
