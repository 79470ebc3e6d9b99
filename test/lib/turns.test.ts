import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createTurns, TurnsExhausted } from '../../src/lib/waiting/turns.ts';

/** Waits until no turn of an earlier test is due: all turns of a process share one pace. */
async function afterAllTurns(): Promise<void> {
  for (let iteration = 0; iteration < 40; iteration += 1) await nextTurn();
}

describe('turns of the event loop', () => {
  test('are granted at once while this turn has room, and in later turns otherwise', async () => {
    const turns = createTurns({ costPerTurn: 10, maxWaiting: 10 });
    const owner = {};
    expect(turns.take(owner, 6)).toBeNull();
    expect(turns.take(owner, 4)).toBeNull();
    let resolved = false;
    const later = turns.take(owner, 1)!.then(() => {
      resolved = true;
    });
    await Promise.resolve();
    expect(resolved).toBe(false);
    await later;
    expect(resolved).toBe(true);
  });

  test('grant a separate turn to work that costs more than a turn', async () => {
    await afterAllTurns();
    const turns = createTurns({ costPerTurn: 10, maxWaiting: 10 });
    const owner = {};
    const order: string[] = [];
    let turn = 0;
    const tick = () => {
      turn += 1;
      if (order.length < 4) setImmediate(tick);
    };
    setImmediate(tick);
    const note = async (name: string, cost: number) => {
      await turns.take(owner, cost);
      order.push(`${name}${turn}`);
    };
    await Promise.all([note('a', 100), note('b', 100), note('c', 5), note('d', 5)]);
    const turnOf = (name: string) => Number(order.find((entry) => entry.startsWith(name))!.slice(1));
    expect(turnOf('a')).toBeLessThan(turnOf('b'));
    expect(turnOf('b')).toBeLessThan(turnOf('c'));
    expect(turnOf('c')).toBe(turnOf('d'));
  });

  test('serve owners in rotation: one with a long queue does not delay another', async () => {
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 1_000 });
    const busy = {};
    const order: string[] = [];
    const take = async (name: string, owner: object) => {
      await turns.take(owner, 1);
      order.push(name);
    };
    const all = [...Array(100)].map(() => take('busy', busy));
    await Promise.all([take('other', {}), ...all]);
    expect(order.indexOf('other')).toBeLessThan(3);
    expect(order.length).toBe(101);
  });

  test('refuse work when too much is waiting, and accept work again afterwards', async () => {
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 2 });
    const owner = {};
    expect(turns.take(owner, 1)).toBeNull();
    const waiting = [turns.take(owner, 1), turns.take(owner, 1)];
    expect(() => turns.take(owner, 1)).toThrow(TurnsExhausted);
    await Promise.all(waiting);
    await nextTurn();
    expect(turns.take(owner, 1)).toBeNull();
  });

  test('refuse an owner above its own bound, and above the total bound the newest work of the owner with the most', async () => {
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 4, maxWaitingPerOwner: 3 });
    const [greedy, modest] = [{}, {}];
    expect(turns.take(greedy, 1)).toBeNull();
    const taken = [1, 2, 3].map(() => turns.take(greedy, 1)!);
    expect(() => turns.take(greedy, 1)).toThrow(TurnsExhausted);
    const others = [turns.take(modest, 1)!, turns.take(modest, 1)!];
    const results = await Promise.allSettled([...taken, ...others]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
  });

  test('grant nothing to an owner that is gone', async () => {
    const gone = new Set<object>();
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 10, isGone: (owner) => gone.has(owner) });
    const [leaving, staying] = [{}, {}];
    expect(turns.take(staying, 1)).toBeNull();
    const all = [leaving, leaving, staying].map((owner) => turns.take(owner, 1)!);
    gone.add(leaving);
    const results = await Promise.allSettled(all);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  });

  test('reject no waiting work if owners have no bound, and let each owner wait with one piece', async () => {
    const turns = createTurns({ costPerTurn: 1, maxWaiting: 2 });
    const busy = {};
    expect(turns.take(busy, 1)).toBeNull();
    const waiting = [turns.take(busy, 1), turns.take(busy, 1)];
    expect(() => turns.take(busy, 1)).toThrow(TurnsExhausted);
    const newcomer = {};
    waiting.push(turns.take(newcomer, 1));
    expect(() => turns.take(newcomer, 1)).toThrow(TurnsExhausted);
    await Promise.all(waiting);
  });
});
