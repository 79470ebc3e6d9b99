import { EventEmitter } from 'node:events';
import { beforeAll, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { type ListPage, type RunListFilter, TooManyReadings } from '../../src/store/lists.ts';
import { openStore } from '../../src/store/open.ts';
import { Database } from '../../src/store/sqlite/driver.ts';
import { MAX_READINGS_PER_OWNER, startListReader } from '../../src/store/sqlite/list-reader.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { manyRuns } from '../support/many-runs.ts';
import { releaseAfterwards } from '../support/releases.ts';

/** A reading that finds nothing takes four steps, and one of all runs a single step. */
const RUNS = 5_000;
const PAGE: ListPage = { cursor: null, direction: 'older', limit: 1 };
const NOTHING: RunListFilter = {
  workspace: 'default',
  providers: null,
  ended: null,
  jobStatuses: null,
  createdFrom: null,
  createdBefore: null,
  labels: {},
  words: ['in no title'],
};

let file: string;
beforeAll(async () => {
  const url = await freshSqliteUrl();
  await (await openStore(url)).close();
  file = databaseFile(url);
  const database = new Database(file);
  manyRuns(database, RUNS);
  database.close();
});

async function start() {
  const reader = await startListReader(file);
  releaseAfterwards(() => reader.close());
  const flood = (owner: object, filter = NOTHING) =>
    Array.from({ length: MAX_READINGS_PER_OWNER }, () => reader.runs(filter, PAGE, owner));
  return { reader, flood };
}

test('a flood of readings of one owner delays another owner’s by a step for each of its own', async () => {
  const { reader, flood } = await start();
  let answered = 0;
  const readings = flood({}).map((reading) => reading.then(() => (answered += 1)));
  const settled = Promise.allSettled(readings);
  await reader.runs(NOTHING, PAGE, {});
  // While the other owner's reading took its steps, the flood took as many: only a few of its readings ended.
  expect(answered).toBeLessThan(8);
  await reader.close();
  await settled;
});

test('an owner with too many waiting readings is refused until they end, and another owner is not', async () => {
  const { reader, flood } = await start();
  const greedy = {};
  const all = { ...NOTHING, words: [] };
  const readings = flood(greedy, all);
  await expect(reader.runs(all, PAGE, greedy)).rejects.toThrow(TooManyReadings);
  expect(await reader.runs(all, PAGE, {})).toEqual([RUNS]);
  await Promise.all(readings);
  expect(await reader.runs(all, PAGE, greedy)).toEqual([RUNS]);
});

test('readings of many owners are refused where too many wait in all', async () => {
  const { reader, flood } = await start();
  const readings = Array.from({ length: 20 }, () => flood({})).flat();
  const settled = Promise.allSettled(readings);
  await reader.close();
  const reasons = (await settled).map((each) => each.status === 'rejected' && each.reason);
  expect(reasons.filter((reason) => reason instanceof TooManyReadings)).toHaveLength(
    20 * MAX_READINGS_PER_OWNER - 1_008,
  );
});

test('an owner without readings is let in however many wait in all', async () => {
  const { reader, flood } = await start();
  const settled = Promise.allSettled(Array.from({ length: 16 }, () => flood({})).flat());
  expect(await reader.runs({ ...NOTHING, words: [] }, PAGE, {})).toEqual([RUNS]);
  await reader.close();
  await settled;
});

test('the readings of an owner that has gone are dropped', async () => {
  const { reader, flood } = await start();
  const client = new EventEmitter();
  const settled = Promise.allSettled(flood(client));
  client.emit('close');
  const ended = await settled;
  const dropped = ended.filter(
    (each) => each.status === 'rejected' && each.reason instanceof TooManyReadings,
  );
  expect(dropped.length).toBeGreaterThan(MAX_READINGS_PER_OWNER / 2);
  expect(await reader.runs({ ...NOTHING, words: [] }, PAGE, {})).toEqual([RUNS]);
});

test('closing rejects the readings that wait instead of doing them first', async () => {
  const { reader, flood } = await start();
  const settled = Promise.allSettled([...flood({}), ...flood({})]);
  await reader.close();
  const ended = await settled;
  const rejected = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(rejected.length).toBeGreaterThan(MAX_READINGS_PER_OWNER);
  for (const reason of rejected) expect(reason).toBeInstanceOf(StoreUnavailable);
  await expect(reader.runs(NOTHING, PAGE)).rejects.toThrow(StoreUnavailable);
});
