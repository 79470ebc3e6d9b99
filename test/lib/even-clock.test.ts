import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEvenClock } from '../../src/lib/waiting/even-clock.ts';

/** The database's clock and a process's monotonic clock, both set by the test. */
function twoClocks() {
  let wall = 1_000_000_000;
  let monotonic = 50_000;
  const clock = createEvenClock(() => monotonic);
  return {
    clock,
    now: () => wall,
    note: () => clock.note(wall, monotonic),
    passes: (ms: number) => {
      wall += ms;
      monotonic += ms;
    },
    isSet: (by: number) => {
      wall += by;
    },
  };
}

test('elapsed time follows the clock, but not its steps', () => {
  const { clock, now, note, passes, isSet } = twoClocks();
  expect(note()).toBe(0);
  const before = now();
  passes(5_000);
  expect(note()).toBe(0);
  expect(clock.elapsed(before, now())).toBe(5_000);
  isSet(3_600_000);
  expect(note()).toBe(3_600_000);
  expect(note()).toBe(0);
  expect(clock.elapsed(before, now())).toBe(5_000);
  expect(clock.leaptMs(60_000)).toBe(3_600_000);
  passes(61_000);
  note();
  expect(clock.leaptMs(60_000)).toBe(0);
  expect(clock.elapsed(before, now())).toBe(66_000);
});

test('the clock runs evenly since its first reading or its last step', () => {
  const { clock, note, passes, isSet } = twoClocks();
  expect(clock.evenMs()).toBe(0);
  note();
  passes(5_000);
  note();
  expect(clock.evenMs()).toBe(5_000);
  for (const step of [2_000, -2_000]) {
    passes(1_000);
    isSet(step);
    note();
    expect(clock.evenMs()).toBe(0);
    passes(7_000);
    note();
    expect(clock.evenMs()).toBe(7_000);
  }
});

test('the clock is trusted for the time before the first reading', () => {
  const { clock, now, note, passes } = twoClocks();
  const before = now() - 90_000;
  note();
  passes(1_000);
  expect(clock.elapsed(before, now())).toBe(91_000);
  expect(clock.elapsed(now() + 5_000, now())).toBe(0);
});

test('a slowed clock and slow answers do not count as steps', () => {
  const { clock, now, note, passes, isSet } = twoClocks();
  note();
  for (let second = 0; second < 10_000; second += 1) {
    passes(1_000);
    isSet(-0.5);
    expect(note()).toBe(0);
  }
  const askedAt = 50_000 + 10_000_000;
  passes(30_000);
  expect(clock.note(now() - 20_000, askedAt)).toBe(0);
});

test('the sum over all readings is the real time, however the clock was set', () => {
  const happening = fc.record({
    passes: fc.nat(10_000),
    set: fc.oneof(fc.constant(0), fc.integer({ min: -1e6, max: 1e6 })),
  });
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
      const { clock, now, note, passes, isSet } = twoClocks();
      note();
      let lookedAt = now();
      let counted = 0;
      let passed = 0;
      for (const { passes: ms, set } of happenings) {
        passes(ms);
        isSet(set);
        note();
        const elapsed = clock.elapsed(lookedAt, now());
        // If the clock is set back by less than the elapsed time, it repeats a time. Then the shorter
        // duration counts.
        expect(elapsed).toBeLessThanOrEqual(ms + 1_000);
        if (set >= 0) expect(elapsed).toBeGreaterThanOrEqual(ms - 1_000);
        counted += elapsed;
        passed += ms;
        lookedAt = now();
      }
      expect(counted).toBeLessThanOrEqual(passed + 1_000 * happenings.length);
    }),
  );
});
