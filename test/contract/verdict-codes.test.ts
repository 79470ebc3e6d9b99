import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RUNNER_EVENT_KINDS } from '../../src/contract/index.ts';
import { anyEvents, anyJsonObject, batchOf, codeOf, eventOf, refused } from './batches.ts';

const notAnObject = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, 0, Number.NaN, '', 'text', 7n, Symbol('s'), () => ({}), []),
  fc.array(fc.anything()),
);
const notAWholeNumber = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, '7', '', 7n, {}, [], [7], Number.NaN, Infinity, -Infinity),
  fc.constantFrom<unknown>(2 ** 53, -1, 0.5, 1e21, new Number(7), { valueOf: () => 7 }),
  fc.integer({ max: -1 }),
  fc.double().filter((number) => !Number.isInteger(number)),
);

function property<Value>(values: fc.Arbitrary<Value>, holds: (value: Value) => void): void {
  fc.assert(
    fc.property(values, (value) => {
      holds(value);
    }),
  );
}

describe('the envelope', () => {
  it('is refused as invalid_envelope when it is anything but an object', () => {
    property(notAnObject, (input) => expect(codeOf(input)).toBe('invalid_envelope'));
  });

  it('is refused as version_mismatch unless v is exactly 1', () => {
    property(
      fc.anything().filter((v) => v !== 1),
      (v) => expect(codeOf(batchOf([eventOf()], { v }))).toBe('version_mismatch'),
    );
    expect(codeOf(batchOf([eventOf()], { v: '1' }))).toBe('version_mismatch');
    expect(codeOf(batchOf([eventOf()], { v: new Number(1) }))).toBe('version_mismatch');
  });

  it('is refused as missing_run_id unless runId is a non-empty string', () => {
    property(
      fc.anything().filter((runId) => typeof runId !== 'string' || runId === ''),
      (runId) => expect(codeOf(batchOf([eventOf()], { runId }))).toBe('missing_run_id'),
    );
    expect(codeOf(batchOf([eventOf()], { runId: new String('run-1') }))).toBe('missing_run_id');
    expect(codeOf(batchOf([eventOf()], { runId: ' ' }))).toBe('accepted');
  });

  it('is refused as empty_batch unless events is a non-empty array', () => {
    property(
      fc.anything().filter((events) => !Array.isArray(events)),
      (events) => expect(codeOf(batchOf(events))).toBe('empty_batch'),
    );
    expect(codeOf(batchOf([]))).toBe('empty_batch');
    expect(codeOf(batchOf({ 0: eventOf(), length: 1 }))).toBe('empty_batch');
  });

  it('holds 256 events; one more is refused as batch_too_large, whatever the events are', () => {
    const events = Array.from({ length: 256 }, (_, seq) => eventOf({ seq }));
    expect(codeOf(batchOf(events))).toBe('accepted');
    expect(codeOf(batchOf([...events, eventOf({ seq: 256 })]))).toBe('batch_too_large');
    expect(codeOf(batchOf(new Array(257)))).toBe('batch_too_large');
    expect(codeOf(batchOf(new Array(2 ** 32 - 1)))).toBe('batch_too_large');
  });
});

describe('an event', () => {
  it('is refused as invalid_event when it is anything but an object', () => {
    property(notAnObject, (event) => {
      expect(refused(batchOf([eventOf(), event]))).toMatchObject({ code: 'invalid_event', eventIndex: 1 });
    });
    expect(codeOf(batchOf(new Array(3)))).toBe('invalid_event');
  });

  it.each(['seq', 'tMs'])(
    'is refused as invalid_event unless %s is a whole number from 0 to 2^53-1',
    (name) => {
      property(notAWholeNumber, (value) => {
        const refusal = refused(batchOf([eventOf({ [name]: value })]));
        expect(refusal).toMatchObject({ code: 'invalid_event', eventIndex: 0 });
        expect(refusal.message).toContain(`events[0].${name} `);
      });
      property(fc.maxSafeNat(), (value) => {
        expect(codeOf(batchOf([eventOf({ [name]: value })]))).toBe('accepted');
      });
      expect(codeOf(batchOf([eventOf({ [name]: Number.MAX_SAFE_INTEGER })]))).toBe('accepted');
    },
  );

  it('has one of the nine kinds; any other kind is refused as invalid_event', () => {
    for (const kind of RUNNER_EVENT_KINDS) expect(codeOf(batchOf([eventOf({ kind })]))).toBe('accepted');
    const known: ReadonlySet<unknown> = new Set(RUNNER_EVENT_KINDS);
    property(
      fc
        .oneof(fc.anything(), fc.constantFrom('', 'Notification', 'constructor', 'length', 0))
        .filter((kind) => !known.has(kind)),
      (kind) => expect(codeOf(batchOf([eventOf({ kind })]))).toBe('invalid_event'),
    );
  });

  it('is refused as invalid_event when its data is anything but an object', () => {
    property(notAnObject, (data) => {
      expect(refused(batchOf([eventOf({ data })])).message).toContain('events[0].data must be an object');
    });
  });

  it('is refused as invalid_event if its data contains, at any level, a value that JSON cannot carry', () => {
    const notJson = fc.constantFrom<unknown>(
      undefined,
      Number.NaN,
      Infinity,
      -Infinity,
      1n,
      Symbol('s'),
      () => 1,
    );
    const wrappers = fc.array(fc.constantFrom<'object' | 'array'>('object', 'array'), { maxLength: 20 });
    property(fc.tuple(notJson, wrappers, anyJsonObject), ([value, ways, sibling]) => {
      const wrapped = ways.reduce(
        (inner, way) => (way === 'array' ? [sibling, inner] : { before: sibling, inner }),
        value,
      );
      const refusal = refused(batchOf([eventOf({ data: { ok: 1, wrapped } })]));
      expect(refusal).toMatchObject({ code: 'invalid_event', eventIndex: 0 });
      expect(refusal.message).toMatch(
        /^events\[0\]\.data\.wrapped.* must be something that JSON can carry, got /,
      );
    });
  });

  it('is refused as seq_not_monotonic unless its seq is greater than the one before it', () => {
    property(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), ([first, second]) => {
      const events = [eventOf({ seq: first }), eventOf({ seq: second })];
      expect(codeOf(batchOf(events))).toBe(second > first ? 'accepted' : 'seq_not_monotonic');
    });
    const refusal = refused(batchOf([eventOf({ seq: 7 }), eventOf({ seq: 7 })]));
    expect(refusal).toMatchObject({ code: 'seq_not_monotonic', eventIndex: 1 });
  });

  it('is refused as t_ms_not_monotonic when its tMs is less than the one before it', () => {
    property(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), ([first, second]) => {
      const events = [eventOf({ seq: 0, tMs: first }), eventOf({ seq: 1, tMs: second })];
      expect(codeOf(batchOf(events))).toBe(second >= first ? 'accepted' : 't_ms_not_monotonic');
    });
    const refusal = refused(batchOf([eventOf({ seq: 0, tMs: 5 }), eventOf({ seq: 1, tMs: 4 })]));
    expect(refusal).toMatchObject({ code: 't_ms_not_monotonic', eventIndex: 1 });
    expect(codeOf(batchOf([eventOf({ seq: 0, tMs: 5 }), eventOf({ seq: 1, tMs: 5 })]))).toBe('accepted');
  });
});

describe('the order of the checks', () => {
  // Each fault, in the contract's order of checks, and the change that causes it.
  const envelopeFaults = [
    ['version_mismatch', { v: 2 }],
    ['missing_run_id', { runId: '' }],
    ['empty_batch', { events: [] }],
  ] as const;
  const eventFaults = [
    ['must be a whole number', 'seq', { seq: -1 }],
    ['must be a whole number', 'tMs', { tMs: 0.5 }],
    ['must be one of the 9 event kinds', 'kind', { kind: 'text' }],
    ['must be something that JSON can carry', 'data', { data: { no: undefined } }],
  ] as const;

  it('lets the first failure of the envelope win', () => {
    property(fc.subarray([...envelopeFaults], { minLength: 1 }), (faults) => {
      const batch = batchOf([eventOf({ seq: -1 })], Object.assign({}, ...faults.map(([, change]) => change)));
      expect(codeOf(batch)).toBe(faults[0]?.[0]);
    });
    expect(codeOf(batchOf(new Array(257), { runId: '' }))).toBe('missing_run_id');
    expect(codeOf(batchOf(Array.from({ length: 257 }, () => 'no event')))).toBe('batch_too_large');
  });

  it('lets the first failure of an event win, with those of the order after all others', () => {
    property(fc.subarray([...eventFaults], { minLength: 1 }), (faults) => {
      // Both numbers are also lower than the previous ones.
      const second = eventOf(Object.assign({}, ...faults.map(([, , change]) => change)));
      const refusal = refused(batchOf([eventOf({ seq: 5, tMs: 5 }), second]));
      expect(refusal).toMatchObject({ code: 'invalid_event', eventIndex: 1 });
      expect(refusal.message).toContain(`events[1].${faults[0]?.[1]}`);
      expect(refusal.message).toContain(faults[0]?.[0]);
    });
    expect(codeOf(batchOf([eventOf({ seq: 5, tMs: 5 }), eventOf()]))).toBe('seq_not_monotonic');
  });

  it('completes all checks of one event before the next', () => {
    const backwards = [eventOf({ seq: 5 }), eventOf({ seq: 4 })];
    expect(codeOf(batchOf([...backwards, 'no event']))).toBe('seq_not_monotonic');
    expect(codeOf(batchOf(['no event', ...backwards]))).toBe('invalid_event');
    let looked = 0;
    const next = {
      get seq() {
        looked += 1;
        return 9;
      },
    };
    refused(batchOf([...backwards, next]));
    expect(looked).toBe(0);
  });

  it('compares each event with its direct predecessor', () => {
    property(fc.tuple(anyEvents, fc.nat()), ([events, pick]) => {
      const index = pick % events.length;
      // Doubled numbers and a later start leave room for one more event in between.
      const spaced: Record<string, unknown>[] = events.map((event) => ({
        ...event,
        seq: event.seq * 2,
        tMs: event.tMs + 1,
      }));
      const { seq, tMs } = spaced[index] ?? eventOf();
      const withNext = (next: Record<string, unknown>) =>
        refused(batchOf(spaced.toSpliced(index + 1, 0, next)));
      expect(withNext(eventOf({ seq, tMs }))).toMatchObject({
        code: 'seq_not_monotonic',
        eventIndex: index + 1,
      });
      expect(withNext(eventOf({ seq: Number(seq) + 1, tMs: Number(tMs) - 1 }))).toMatchObject({
        code: 't_ms_not_monotonic',
        eventIndex: index + 1,
      });
    });
  });

  it('names the only broken event of an otherwise legal batch', () => {
    property(
      fc.tuple(anyEvents, fc.nat(), fc.constantFrom(...eventFaults)),
      ([events, pick, [, , change]]) => {
        const index = pick % events.length;
        const spoilt = events.map((event, at) => (at === index ? { ...event, ...change } : event));
        expect(refused(batchOf(spoilt))).toMatchObject({ code: 'invalid_event', eventIndex: index });
      },
    );
  });
});
