import { describe, expect, test } from 'vitest';
import { createLanes } from '../../src/lib/waiting/lanes.ts';

/** Counts the turns of the event loop until `stop` is called. */
function countTurns() {
  let turns = 0;
  let timer = setImmediate(function count() {
    turns += 1;
    timer = setImmediate(count);
  });
  return { now: () => turns, stop: () => clearImmediate(timer) };
}

describe('lanes', () => {
  test('start no more work in an event-loop turn in which enough was done', async () => {
    const lanes = createLanes({ lanes: 1, costPerTurn: 10 });
    const turns = countTurns();
    const costIn = new Map<number, number>();
    const work = (cost: number) =>
      lanes.run(
        {},
        async () => {
          costIn.set(turns.now(), (costIn.get(turns.now()) ?? 0) + cost);
          return cost;
        },
        (spent) => spent,
      );
    const costs = [1, 1, 1, 30, 4, 4, 4, 4, 4, 50, 1];
    expect(await Promise.all(costs.map(work))).toEqual(costs);
    turns.stop();
    // Work that started before the limit was reached may cost more.
    expect(Math.max(...costIn.values())).toBeLessThan(10 + 50);
    expect([...costIn.values()].reduce((sum, cost) => sum + cost)).toBe(104);
    expect(costIn.size).toBeGreaterThanOrEqual(4);
  });

  test('serve owners in rotation: one with much work delays only itself', async () => {
    const lanes = createLanes({ lanes: 1, costPerTurn: 1 });
    const busy = {};
    const order: string[] = [];
    const work = (name: string, owner: object) =>
      lanes.run(
        owner,
        async () => void order.push(name),
        () => 1,
      );
    const all = Array.from({ length: 50 }, () => work('busy', busy));
    await Promise.all([work('other', {}), ...all]);
    expect(order.indexOf('other')).toBeLessThan(3);
  });

  test('run as many pieces at once as there are lanes, and continue after work that fails', async () => {
    const lanes = createLanes({ lanes: 3, costPerTurn: 10 });
    let atOnce = 0;
    let most = 0;
    const work = async (index: number) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setTimeout(resolve, 1));
      atOnce -= 1;
      if (index % 2 === 0) throw new Error(`failed ${index}`);
      return index;
    };
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        lanes.run(
          {},
          () => work(index),
          () => 1,
        ),
      ),
    );
    expect(most).toBe(3);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    expect(
      await lanes.run(
        {},
        async () => 'still runs',
        () => 1,
      ),
    ).toBe('still runs');
  });
});
