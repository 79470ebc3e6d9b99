import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { ALL, startUpdates } from '../support/run-updates.ts';

type Updates = ReturnType<typeof startUpdates>;
type Open = Updates['open'];

const GROUPS = 500;
const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
/** Contains all words of every slow filter. */
const SLOW_TITLE = [...LETTERS, ...Array(GROUPS).keys(), ''].join(' ');

/** One of many different filters with eleven conditions each. */
const slowFilter = (index: number) => ({ ...ALL, words: [...LETTERS, ` ${index} `] });

/** Reads until it fails. */
async function follow(open: Open, filter: typeof ALL) {
  const reader = await open(filter);
  const told = { runs: [] as number[], failure: null as unknown };
  const reading = (async () => {
    try {
      for (;;) {
        await reader.ready();
        told.runs.push(...(reader.take() ?? []).map(({ key }) => key));
        if (reader.ended()) return;
      }
    } catch (error) {
      told.failure = error;
      reader.close();
    }
  })();
  return { told, reading };
}

/** Opens many slow filters, and then a cheap one for an honest subscriber. */
async function crowd(open: Open) {
  const slow = [];
  for (let index = 0; index < GROUPS; index += 1) slow.push((await follow(open, slowFilter(index))).told);
  const honest = await open({ ...ALL, words: ['honest'] });
  return { slow, honest };
}

function changeAll(change: Updates['change'], from: number, to: number): void {
  for (let key = from; key <= to; key += 1) change(key, 0, 'created', SLOW_TITLE);
}

/** Waits for the next run of the honest subscriber. */
async function nextRun(reader: Awaited<ReturnType<Open>>): Promise<number[]> {
  for (;;) {
    await reader.ready();
    const rows = reader.take();
    if (rows) return rows.map(({ key }) => key);
  }
}

const mostRuns = (told: readonly { readonly runs: readonly number[] }[]) =>
  Math.max(...told.map(({ runs }) => runs.length));

test('slow filters delay each other: a subscriber that joined last is told before any of them is done', async () => {
  const { open, change } = startUpdates();
  const { slow, honest } = await crowd(open);
  changeAll(change, 1, 99);
  change(100, 0, 'created', 'honest');
  expect(await nextRun(honest)).toEqual([100]);
  expect(mostRuns(slow)).toBeLessThan(20);
});

test('a change is reported while slow filters are still busy with earlier ones', async () => {
  const { open, change } = startUpdates();
  const { slow, honest } = await crowd(open);
  changeAll(change, 1, 100);
  change(101, 0, 'created', 'honest');
  expect(await nextRun(honest)).toEqual([101]);
  expect(mostRuns(slow)).toBeLessThan(100);
  await expect.poll(() => slow.every(({ runs }) => runs.length === 100), { timeout: 20_000 }).toBe(true);
});

test('a subscriber that falls behind is told to start again; one that keeps up loses nothing', async () => {
  const { open, change } = startUpdates({ rowsBehind: 150 });
  const { slow, honest } = await crowd(open);
  const told: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    changeAll(change, round * 100 + 1, round * 100 + 99);
    change(round * 100 + 100, 0, 'created', 'honest');
    told.push(...(await nextRun(honest)));
  }
  expect(told).toEqual([100, 200, 300, 400]);
  await expect.poll(() => slow.every(({ failure }) => failure !== null), { timeout: 20_000 }).toBe(true);
  expect(slow[0]!.failure).toBeInstanceOf(StoreUnavailable);
  change(401, 0, 'created', 'honest');
  expect(await nextRun(honest)).toEqual([401]);
});

test('a subscriber that shares the filter of others who are behind gets only what changes from now on', async () => {
  const { open, change } = startUpdates();
  const { slow, honest } = await crowd(open);
  changeAll(change, 1, 99);
  change(100, 0, 'created', 'honest');
  await nextRun(honest);
  expect(mostRuns(slow)).toBeLessThan(99);
  const late = await open(slowFilter(0));
  changeAll(change, 101, 101);
  expect(await nextRun(late)).toEqual([101]);
});
