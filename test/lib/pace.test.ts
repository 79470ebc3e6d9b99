import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isResting, onNextTurn } from '../../src/lib/waiting/pace.ts';

function busyFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Counts the iterations of the event loop until the next turn begins. */
async function iterationsToNextTurn(): Promise<number> {
  let begun = false;
  onNextTurn(() => {
    begun = true;
  });
  let iterations = 0;
  while (!begun) {
    iterations += 1;
    await nextTurn();
  }
  return iterations;
}

/** Keeps the loop busy for one turn, then counts the iterations until the next one. */
async function iterationsAfterTurnOf(ms: number): Promise<number> {
  await iterationsToNextTurn();
  onNextTurn(() => busyFor(ms));
  await nextTurn();
  await nextTurn();
  return iterationsToNextTurn();
}

test('a turn that kept the loop busy is followed by iterations in which only new events are handled', async () => {
  expect(await iterationsAfterTurnOf(20)).toBeGreaterThan(10);
  expect(isResting()).toBe(false);
});

test('the iterations without turns are bounded', async () => {
  expect(await iterationsAfterTurnOf(500)).toBeLessThan(40);
});
