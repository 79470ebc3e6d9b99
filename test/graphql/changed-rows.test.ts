import { expect, test } from 'vitest';
import { createRowLists } from '../../src/graphql/runs/changed-rows.ts';
import type { UpdatedRun } from '../../src/graphql/runs/row.ts';

const row = (key: number, text = '') => ({ key, labels: { text } }) as unknown as UpdatedRun;

test('a run that changes again has only its latest row', () => {
  const rows = createRowLists(10, 1_000_000)();
  const latest = row(1);
  rows.append([row(1), row(2)]);
  rows.append([latest]);
  expect([rows.start(), rows.end()]).toEqual([0, 3]);
  expect(rows.at(0)).toBeNull();
  expect(rows.at(1)?.key).toBe(2);
  expect(rows.at(2)).toBe(latest);
});

test('the oldest rows are dropped above the number of rows, but none that was just added', () => {
  const rows = createRowLists(2, 1_000_000)();
  rows.append([row(1), row(2), row(3)]);
  expect(rows.start()).toBe(0);
  rows.append([row(4)]);
  expect([rows.start(), rows.end()]).toEqual([2, 4]);
  rows.clear();
  expect([rows.start(), rows.end(), rows.at(3)]).toEqual([4, 4, null]);
});

test('above the total of bytes, the list with the most loses rows', () => {
  const open = createRowLists(1_000, 200_000);
  const [large, small] = [open(), open()];
  for (const key of [1, 2, 3]) large.append([row(key, 'x'.repeat(13_000))]);
  small.append([row(1)]);
  expect([large.start(), small.start()]).toEqual([0, 0]);
  small.append([row(2, 'x'.repeat(10_000))]);
  expect([large.start(), small.start()]).toEqual([1, 0]);
});
