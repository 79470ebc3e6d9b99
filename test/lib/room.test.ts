import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRoom, NoRoom, type Place, type RoomOptions } from '../../src/lib/room.ts';

const OPTIONS: RoomOptions = {
  most: 10,
  few: 2,
  mostOfFew: 15,
  maxWaiting: 6,
  maxWaitingPerOwner: 4,
  waitMs: 5_000,
  isGone: () => false,
};

/** Takes room and records the name once it is held. */
function taker() {
  const order: string[] = [];
  const take = (name: string, place: Place, amount: number) => {
    const later = place.take(amount);
    if (later)
      return later.then(
        () => void order.push(name),
        () => void order.push(`${name} refused`),
      );
    order.push(name);
    return Promise.resolve();
  };
  return { order, take };
}

const settled = () => new Promise(setImmediate);

describe('a room', () => {
  test('admits what fits, then waiting work, owner by owner', async () => {
    const room = createRoom(OPTIONS);
    const { order, take } = taker();
    const [busy, other] = [{}, {}];
    const places = Array.from({ length: 4 }, () => room.enter(busy));
    for (const [index, place] of places.entries()) void take(`busy${index}`, place, 10);
    const last = room.enter(other);
    void take('other', last, 10);
    await settled();
    expect(order).toEqual(['busy0']);
    places[0]!.leave();
    places[1]!.leave();
    await settled();
    expect(order).toEqual(['busy0', 'busy1', 'other']);
    last.leave();
    await settled();
    expect(order.at(-1)).toBe('busy2');
  });

  test('never holds more than it may', async () => {
    const room = createRoom({ ...OPTIONS, maxWaiting: 1_000, maxWaitingPerOwner: 1_000 });
    let held = 0;
    let most = 0;
    const work = async (amount: number) => {
      const place = room.enter({});
      await place.take(amount);
      held += amount;
      most = Math.max(most, held);
      await settled();
      held -= amount;
      place.leave();
    };
    await Promise.all(Array.from({ length: 200 }, (_, index) => work(3 + (index % 8))));
    expect(most).toBeLessThanOrEqual(10);
    expect(held).toBe(0);
  });

  test('admits an owner that holds little at once, even while others wait', async () => {
    const room = createRoom(OPTIONS);
    const { order, take } = taker();
    void take('large', room.enter({}), 10);
    void take('waits', room.enter({}), 10);
    const small = {};
    const places = Array.from({ length: 3 }, () => room.enter(small));
    for (const [index, place] of places.entries()) void take(`small${index}`, place, 1);
    for (let index = 0; index < 3; index += 1) void take(`few${index}`, room.enter({}), 2);
    await settled();
    expect(order).toEqual(['large', 'small0', 'small1', 'few0']);
    places[0]!.leave();
    await settled();
    expect(order.slice(4)).toEqual(['few1']);
    places[1]!.leave();
    await settled();
    expect(order).toHaveLength(5);
  });

  test('lets work that holds a part and needs more continue, one at a time', async () => {
    const room = createRoom(OPTIONS);
    const { order, take } = taker();
    const places = Array.from({ length: 2 }, () => room.enter({}));
    for (const [index, place] of places.entries()) void take(`part${index}`, place, 5);
    void take('new', room.enter({}), 10);
    for (const [index, place] of places.entries()) void take(`more${index}`, place, 5);
    await settled();
    expect(order).toEqual(['part0', 'part1', 'more0']);
    places[0]!.leave();
    await settled();
    expect(order.at(-1)).toBe('more1');
    places[1]!.leave();
    await settled();
    expect(order.at(-1)).toBe('new');
  });

  test('refuses work when too much is waiting, and keeps working', async () => {
    const room = createRoom(OPTIONS);
    const holding = room.enter({});
    expect(holding.take(10)).toBeNull();
    const owner = {};
    const { order, take } = taker();
    for (let index = 0; index < 4; index += 1) void take('own', room.enter(owner), 3);
    expect(() => room.enter(owner).take(3)).toThrow(NoRoom);
    for (let index = 0; index < 2; index += 1) void take('others', room.enter({}), 3);
    expect(() => room.enter({}).take(3)).toThrow(NoRoom);
    holding.leave();
    await settled();
    expect(order).toEqual(['own', 'others', 'others']);
  });

  test('drops work whose owner is gone, that has left, or that has waited too long', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const gone = new Set<object>();
    const room = createRoom({ ...OPTIONS, isGone: (owner) => gone.has(owner) });
    const holding = room.enter({});
    expect(holding.take(10)).toBeNull();
    const { order, take } = taker();
    const [leaving, stays] = [{}, {}];
    const left = room.enter({});
    void take('gone', room.enter(leaving), 10);
    void take('left', left, 10);
    left.leave();
    gone.add(leaving);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toEqual(['left refused', 'gone refused']);
    void take('stays', room.enter(stays), 10);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(order).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(order.at(-1)).toBe('stays refused');
    expect(vi.getTimerCount()).toBe(0);
    holding.leave();
    expect(room.enter({}).take(10)).toBeNull();
  });
});
