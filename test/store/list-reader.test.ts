import { EventEmitter } from 'node:events';
import { beforeAll, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { type ListPage, type RunListFilter, TooManyReadings } from '../../src/store/lists.ts';
import { openStore } from '../../src/store/open.ts';
import { MAX_READINGS_PER_OWNER, startListReader } from '../../src/store/sqlite/list-reader.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { manyRuns } from '../support/many-runs.ts';
import { releaseAfterwards } from '../support/releases.ts';

/** A query that finds nothing takes four steps, a query for all runs one step. */
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

test('a flood of queries of one owner delays another owner’s query by one step per step', async () => {
  const { reader, flood } = await start();
  let answered = 0;
  const readings = flood({}).map((reading) => reading.then(() => (answered += 1)));
  const settled = Promise.allSettled(readings);
  await reader.runs(NOTHING, PAGE, {});
  // The flood took as many steps as the other owner's query, so only a few of its queries ended.
  expect(answered).toBeLessThan(8);
  await reader.close();
  await settled;
});

test('an owner with too many waiting queries is refused until they end; another owner is not', async () => {
  const { reader, flood } = await start();
  const greedy = {};
  const all = { ...NOTHING, words: [] };
  const readings = flood(greedy, all);
  await expect(reader.runs(all, PAGE, greedy)).rejects.toThrow(TooManyReadings);
  expect(await reader.runs(all, PAGE, {})).toEqual([RUNS]);
  await Promise.all(readings);
  expect(await reader.runs(all, PAGE, greedy)).toEqual([RUNS]);
});

test('queries of many owners are refused if too many wait in total', async () => {
  const { reader, flood } = await start();
  const readings = Array.from({ length: 20 }, () => flood({})).flat();
  const settled = Promise.allSettled(readings);
  await reader.close();
  const reasons = (await settled).map((each) => each.status === 'rejected' && each.reason);
  expect(reasons.filter((reason) => reason instanceof TooManyReadings)).toHaveLength(
    20 * MAX_READINGS_PER_OWNER - 1_008,
  );
});

test('an owner without queries is admitted however many wait in total', async () => {
  const { reader, flood } = await start();
  const settled = Promise.allSettled(Array.from({ length: 16 }, () => flood({})).flat());
  expect(await reader.runs({ ...NOTHING, words: [] }, PAGE, {})).toEqual([RUNS]);
  await reader.close();
  await settled;
});

test('the queries of an owner that has closed are dropped', async () => {
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

test('closing rejects waiting queries instead of running them first', async () => {
  const { reader, flood } = await start();
  const settled = Promise.allSettled([...flood({}), ...flood({})]);
  await reader.close();
  const ended = await settled;
  const rejected = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(rejected.length).toBeGreaterThan(MAX_READINGS_PER_OWNER);
  for (const reason of rejected) expect(reason).toBeInstanceOf(StoreUnavailable);
  await expect(reader.runs(NOTHING, PAGE)).rejects.toThrow(StoreUnavailable);
});
