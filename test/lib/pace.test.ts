import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isResting, onNextTurn } from '../../src/lib/pace.ts';

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

test('a turn that kept the loop busy is followed by iterations in which only new events are handled', async () => {
  await iterationsToNextTurn();
  onNextTurn(() => busyFor(20));
  await nextTurn();
  await nextTurn();
  expect(await iterationsToNextTurn()).toBeGreaterThan(10);
  expect(isResting()).toBe(false);
});

test('the iterations without turns are bounded', async () => {
  await iterationsToNextTurn();
  onNextTurn(() => busyFor(500));
  await nextTurn();
  await nextTurn();
  expect(await iterationsToNextTurn()).toBeLessThan(40);
});
