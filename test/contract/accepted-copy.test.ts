import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accepted, anyEvents, anyJsonObject, batchOf, batchWithData, eventOf } from './batches.ts';

function dataOf(data: unknown) {
  return accepted(batchWithData(data)).events[0]?.data;
}

describe('an accepted batch', () => {
  it('has exactly the JSON of the input, including the key order', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const input = batchOf(events);
        const before = JSON.stringify(input);
        expect(JSON.stringify(accepted(input))).toBe(before);
        expect(JSON.stringify(input)).toBe(before);
      }),
      { numRuns: 300 },
    );
  });

  it('is unchanged by a second validation', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const once = accepted(batchOf(events));
        expect(JSON.stringify(accepted(once))).toBe(JSON.stringify(once));
      }),
    );
  });

  it('drops unknown keys of the envelope and of events, and keeps those of data', () => {
    const batch = accepted(batchOf([eventOf({ id: 7, data: { id: 7 } })], { extra: Number.NaN }));
    expect(batch).toStrictEqual({
      v: 1,
      runId: 'run-1',
      events: [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { id: 7 } }],
    });
  });

  it('is frozen: the list, every event, and the top level of each data', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const batch = accepted(batchOf(events));
        expect(Object.isFrozen(batch.events)).toBe(true);
        for (const event of batch.events) {
          expect(Object.isFrozen(event)).toBe(true);
          expect(Object.isFrozen(event.data)).toBe(true);
        }
      }),
    );
  });

  it('shares nothing with the input, which stays unchanged and mutable', () => {
    const deep = { list: [1, { text: 'before' }] };
    const input = { v: 1, runId: 'run-1', events: [eventOf({ data: deep })] };
    const batch = accepted(input);
    deep.list[1] = { text: 'after' };
    deep.list.push(3);
    input.events.push(eventOf({ seq: 1 }));
    input.runId = 'run-2';
    expect(batch.runId).toBe('run-1');
    expect(batch.events).toHaveLength(1);
    expect(batch.events[0]?.data).toStrictEqual({ list: [1, { text: 'before' }] });
  });

  it('consists of plain objects and arrays only', () => {
    fc.assert(
      fc.property(anyJsonObject, (data) => {
        const seen: unknown[] = [dataOf(data)];
        for (const value of seen) {
          if (typeof value !== 'object' || value === null) continue;
          expect(Object.getPrototypeOf(value)).toBe(
            Array.isArray(value) ? Array.prototype : Object.prototype,
          );
          seen.push(...Object.values(value));
        }
      }),
    );
  });

  it('counts -0 as 0 for seq and tMs', () => {
    const event = accepted(batchOf([eventOf({ seq: -0, tMs: -0 })])).events[0];
    expect(event?.seq).toBe(0);
    expect(event?.tMs).toBe(0);
  });
});

describe("an event's data", () => {
  it('keeps __proto__ as an ordinary key at any level, and sets no prototype', () => {
    const text = '{"__proto__":{"isAdmin":true},"list":[{"__proto__":[1]}],"constructor":1,"toString":"x"}';
    const data = dataOf(JSON.parse(text));
    expect(JSON.stringify(data)).toBe(text);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(data?.isAdmin).toBeUndefined();
  });

  it('keeps U+0000, lone surrogates, 1e21, empty keys and strings of megabytes', () => {
    const data = { '': 1, '\u0000': '\u0000', '\uDC00': 'a\uD800b', big: 1e21, long: 'é'.repeat(3_000_000) };
    expect(dataOf(data)).toStrictEqual(data);
  });

  it('keeps a hundred thousand members', () => {
    const list = Array.from({ length: 50_000 }, (_, index) => index);
    const members = Object.fromEntries(list.map((index) => [`key ${index}`, index]));
    expect(JSON.stringify(dataOf({ list, members }))).toBe(JSON.stringify({ list, members }));
  });

  it('may share members without being a cycle', () => {
    const shared = { text: 'x' };
    expect(dataOf({ a: shared, b: [shared, shared] })).toStrictEqual({
      a: { text: 'x' },
      b: [{ text: 'x' }, { text: 'x' }],
    });
  });

  it('accepts any object, by its own enumerable string keys', () => {
    class Point {
      x = 1;
      get length() {
        return 1;
      }
      toJSON() {
        return 'never asked';
      }
    }
    expect(dataOf(new Date(0))).toStrictEqual({});
    expect(dataOf(new Map([['a', 1]]))).toStrictEqual({});
    expect(dataOf(new Point())).toStrictEqual({ x: 1 });
    expect(dataOf(Object.create({ inherited: 1 }, { hidden: { value: 1 } }))).toStrictEqual({});
    expect(dataOf(Object.assign(Object.create(null), { a: new Uint8Array([7]) }))).toStrictEqual({
      a: { 0: 7 },
    });
    expect(dataOf({ a: 1, [Symbol('ignored')]: () => 1 })).toStrictEqual({ a: 1 });
  });

  it('may nest 512 levels, including itself', () => {
    for (const wrap of [(inner: unknown) => ({ inner }), (inner: unknown) => [inner]]) {
      let inner: unknown = {};
      // 510 levels around the innermost object, and `data` around them.
      for (let level = 0; level < 510; level++) inner = wrap(inner);
      expect(JSON.stringify(dataOf({ inner }))).toBe(JSON.stringify({ inner }));
    }
  });
});
