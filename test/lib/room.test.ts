import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRoom, NoRoom, type Place, type RoomOptions } from '../../src/lib/waiting/room.ts';

const OPTIONS: RoomOptions = {
  most: 10,
  shares: [{ perOwner: 2, together: 5 }],
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
    // The owner of the places is first in turn, and holds little again.
    places[0]!.leave();
    await settled();
    expect(order.slice(4)).toEqual(['small2']);
    places[1]!.leave();
    await settled();
    expect(order.slice(5)).toEqual(['few1']);
    places[2]!.leave();
    await settled();
    expect(order).toHaveLength(6);
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
    const two = {};
    for (let index = 0; index < 2; index += 1) void take('two', room.enter(two), 3);
    // The newest work of the owner with the most is dropped, also for an owner that has something waiting.
    for (let index = 0; index < 2; index += 1) void take('new', room.enter({}), 3);
    await settled();
    expect(order).toEqual(['own refused', 'own refused']);
    expect(() => room.enter(owner).take(3)).toThrow(NoRoom);
    holding.leave();
    await settled();
    expect(order.slice(2)).toEqual(['own', 'two', 'new']);
  });

  test('always lets an owner wait that has nothing waiting, and keeps the only work of the others', async () => {
    const room = createRoom(OPTIONS);
    const holding = room.enter({});
    expect(holding.take(10)).toBeNull();
    const { order, take } = taker();
    const owners = Array.from({ length: 20 }, () => ({}));
    const places = owners.map((owner) => room.enter(owner));
    for (const [index, place] of places.entries()) void take(String(index), place, 10);
    expect(() => room.enter(owners[0]!).take(10)).toThrow(NoRoom);
    for (const place of [holding, ...places]) {
      place.leave();
      await settled();
    }
    expect(order).toEqual(owners.map((_, index) => String(index)));
  });

  test('admits small work while medium and large work waits, and medium work while large work waits', async () => {
    const shares = [
      { perOwner: 1, together: 3 },
      { perOwner: 4, together: 8 },
    ];
    const room = createRoom({ ...OPTIONS, shares, maxWaiting: 100 });
    const { order, take } = taker();
    for (let index = 0; index < 20; index += 1) void take('large', room.enter({}), 10);
    void take('medium', room.enter({}), 4);
    void take('small', room.enter({}), 1);
    await settled();
    expect(order).toEqual(['large', 'medium', 'small']);
    for (let index = 0; index < 20; index += 1) void take('medium', room.enter({}), 4);
    for (let index = 0; index < 2; index += 1) void take('small', room.enter({}), 1);
    await settled();
    expect(order.slice(3)).toEqual(['medium', 'small', 'small']);
  });

  test('work that waits and keeps something leaves half of the smallest share to others', async () => {
    const room = createRoom({ ...OPTIONS, shares: [{ perOwner: 1, together: 10 }], maxWaiting: 100 });
    const large = [room.enter({}), room.enter({})];
    for (const place of large) expect(place.take(5)).toBeNull();
    const { order, take } = taker();
    // One place is admitted above all limits.
    void take('above', large[0]!, 5);
    const growing = Array.from({ length: 8 }, () => room.enter({}));
    for (const place of growing) expect(place.take(1)).toBeNull();
    for (const place of growing.slice(0, 5)) void take('grown', place, 5);
    for (const place of growing.slice(5)) {
      expect(() => place.take(5)).toThrow(NoRoom);
      place.leave();
    }
    for (let index = 0; index < 5; index += 1) expect(room.enter({}).take(1)).toBeNull();
    for (const place of [...large, ...growing]) {
      place.leave();
      await settled();
    }
    expect(order).toEqual(['above', 'grown', 'grown', 'grown', 'grown', 'grown']);
  });

  test('whatever is asked for, the limits hold, and all work that waits is done or refused', async () => {
    const shares = [
      { perOwner: 3, together: 6 },
      { perOwner: 8, together: 12 },
    ];
    const mostPerPlace = 30;
    const work = fc.record({
      owner: fc.integer({ min: 0, max: 6 }),
      steps: fc.array(
        fc.record({ take: fc.integer({ min: 1, max: 10 }), keeps: fc.nat({ max: 10 }), now: fc.boolean() }),
        { minLength: 1, maxLength: 3 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { maxLength: 40 }), async (works) => {
        const room = createRoom({ ...OPTIONS, shares, maxWaiting: 10 });
        const owners = Array.from({ length: 7 }, () => ({}));
        let held = 0;
        const hold = (by: number) => {
          held += by;
          expect(held).toBeLessThanOrEqual(6 + 12 + OPTIONS.most + mostPerPlace);
        };
        const run = async ({ owner, steps }: (typeof works)[number]) => {
          const place = room.enter(owners[owner]!);
          let own = 0;
          try {
            for (const { take, keeps, now } of steps) {
              if (!now) await place.take(take);
              else if (!place.takeNow(take)) continue;
              hold(take);
              own += take;
              await settled();
              const given = Math.max(0, take - keeps);
              place.give(given);
              hold(-given);
              own -= given;
            }
          } catch (error) {
            expect(error).toBeInstanceOf(NoRoom);
          } finally {
            place.leave();
            hold(-own);
          }
        };
        let ended = 0;
        const end = () => {
          ended += 1;
        };
        const all = Promise.all(works.map((work) => run(work).then(end)));
        for (let turn = 0; turn < 200 && ended < works.length; turn += 1) await settled();
        expect(ended).toBe(works.length);
        await all;
        expect(held).toBe(0);
        // Nothing counts as held that is not.
        expect(room.enter({}).take(OPTIONS.most)).toBeNull();
        expect(room.enter({}).take(8)).toBeNull();
        expect(room.enter({}).take(3)).toBeNull();
      }),
    );
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
