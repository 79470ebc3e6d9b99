import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOwnerQueues } from '../../src/lib/waiting/owner-queues.ts';

test('owners are served in turn, each in its own order', () => {
  const queues = createOwnerQueues<string, number>();
  for (const item of [1, 2, 3]) queues.push('busy', item);
  queues.push('late', 10);
  queues.push('later', 20);
  queues.push('later', 21);
  expect([1, 2, 3, 4, 5, 6, 7].map(() => queues.shift())).toEqual([1, 10, 20, 2, 21, 3, undefined]);
});

test('the queues behave like a list of owners with their items, whatever is added and removed', () => {
  const owner = fc.integer({ min: 0, max: 3 });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ does: fc.constant('push' as const), owner }) },
    fc.record({ does: fc.constantFrom('shift' as const, 'longest' as const), owner }),
    fc.record({ does: fc.constantFrom('pop' as const, 'drop' as const, 'remove' as const), owner }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queues = createOwnerQueues<number, number>();
      let naive: { readonly owner: number; items: number[] }[] = [];
      const of = (owner: number) => naive.find((one) => one.owner === owner)?.items ?? [];
      const rotate = (owner: number, items: readonly number[]) => {
        naive = [...naive.filter((one) => one.owner !== owner), { owner, items: [...items] }];
      };
      steps.forEach(({ does, owner }, item) => {
        switch (does) {
          case 'push':
            queues.push(owner, item);
            if (of(owner).length > 0) of(owner).push(item);
            else rotate(owner, [item]);
            break;
          case 'shift':
            expect(queues.shift()).toBe(naive[0]?.items[0]);
            if (naive[0]) rotate(naive[0].owner, naive[0].items.slice(1));
            break;
          case 'remove': {
            const last = of(owner).at(-1);
            if (last === undefined) break;
            queues.remove(owner, last);
            rotate(owner, of(owner).slice(0, -1));
            break;
          }
          case 'pop':
            expect(queues.pop(owner)).toBe(of(owner).pop());
            break;
          case 'drop':
            expect(queues.drop(owner)).toEqual(of(owner));
            naive = naive.filter((one) => one.owner !== owner);
            break;
          case 'longest': {
            const most = Math.max(0, ...naive.map(({ items }) => items.length));
            const longest = queues.longest();
            expect(longest === undefined ? 0 : queues.sizeOf(longest)).toBe(most);
            break;
          }
        }
        naive = naive.filter(({ items }) => items.length > 0);
        expect(queues.size()).toBe(naive.reduce((sum, { items }) => sum + items.length, 0));
        const [first] = naive;
        expect(queues.first()).toEqual(first && [first.owner, first.items[0]]);
        expect(queues.find((one) => one % 2 === 1)).toBe(
          naive.flatMap(({ items }) => items).find((one) => one % 2 === 1),
        );
      });
    }),
  );
});
