import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS } from '../../src/contract/jobs.ts';
import type { JobListFilter, ListPage, RunListFilter } from '../../src/store/lists.ts';
import { isListed } from '../../src/store/lists.ts';
import { EMPTY_HEAD, type Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { jobOf } from './store-jobs.ts';
import { append, event, newRun } from './store-records.ts';

const WORKSPACE = 'lists';
const LABELS = [
  {},
  { n: 0.1 + 0.2, team: 'a' },
  { n: 12_345_678_901_234_567_000, team: 'a"b' },
  { n: 1e300, 'dot.ted': true },
  { n: '1', 'quo"te': 'y\\' },
  { n: 1, team: 'A' },
];
const TITLES = [null, 'Fix the Login page', 'login is slow', 'a_b 100% c\\d'];
const WORDS = ['LOGIN', 'page', '_', '%', '\\', "' OR 1=1 --", 'a_b'];
const ANY_RUN: RunListFilter = {
  workspace: WORKSPACE,
  providers: null,
  ended: null,
  jobStatuses: null,
  createdFrom: null,
  createdBefore: null,
  labels: {},
  words: [],
};
const FIRST: ListPage = { cursor: null, direction: 'older', limit: 100 };

const some = <Value>(values: readonly Value[]) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 }));
const time = fc.option(fc.integer({ min: 0, max: 50 }));

/** Tests the pages of lists. */
export function testLists({ open }: TestDatabase): void {
  let store: Store;
  let keys: number[];
  beforeAll(async () => {
    store = await open();
    keys = [];
    for (let index = 0; index < 40; index += 1) {
      const { run } = await store.createRun({
        ...newRun({ workspace: index % 10 === 9 ? 'other' : WORKSPACE, id: `run-${index}` }),
        provider: RUN_PROVIDERS[index % RUN_PROVIDERS.length]!,
        title: TITLES[index % TITLES.length]!,
        labels: JSON.stringify(LABELS[index % LABELS.length]),
        createdAt: (index * 17) % 50,
      });
      keys.push(run.key);
      if (index % 3 !== 0) {
        await store.jobs.create({ ...jobOf(run.key), runner: `runner-${index % 2}` });
        const { job } = (await store.jobs.read([run.key])).get(run.key)!;
        const status = PROVIDER_RUNTIME_JOB_STATUSES[index % PROVIDER_RUNTIME_JOB_STATUSES.length]!;
        await store.jobs.save(run.key, job.version, { ...job, status });
      }
      if (index % 4 === 0 && index % 3 === 0) {
        const terminal = event(0, { kind: 'runtime_terminal' });
        await store.commit([append(run, EMPTY_HEAD, [terminal], { endedAt: 5 })]);
      }
    }
  });

  const pageArbitrary = fc.record({
    cursor: fc.option(fc.integer({ min: -1, max: 41 })),
    direction: fc.constantFrom<ListPage['direction']>('older', 'newer'),
    limit: fc.integer({ min: 0, max: 12 }),
  });

  function expected<Row>(rows: readonly Row[], keyOf: (row: Row) => number, page: ListPage): number[] {
    const { cursor, direction, limit } = page;
    const all = rows.map(keyOf).sort((one, other) => other - one);
    if (direction === 'older') return all.filter((key) => cursor === null || key < cursor).slice(0, limit);
    const newer = all.filter((key) => cursor === null || key > cursor);
    return newer.slice(Math.max(0, newer.length - limit));
  }

  describe('lists', () => {
    test('of runs contain exactly those that match a filter, page by page', async () => {
      const rows = await store.catalog.run.findMany({ include: { job: true } });
      const filters = fc.record({
        workspace: fc.constantFrom(WORKSPACE, 'other', 'nobody'),
        providers: some(RUN_PROVIDERS),
        ended: fc.option(fc.boolean()),
        jobStatuses: some(PROVIDER_RUNTIME_JOB_STATUSES),
        createdFrom: time,
        createdBefore: time,
        labels: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.constantFrom(...LABELS)),
        words: fc.oneof(
          { weight: 3, arbitrary: fc.constant([]) },
          fc.uniqueArray(fc.constantFrom(...WORDS), { maxLength: 2 }),
        ),
      });
      await fc.assert(
        fc.asyncProperty(filters, pageArbitrary, async (filter, { cursor, ...page }) => {
          const at = { ...page, cursor: cursor === null ? null : keys[0]! + cursor };
          const listed = rows.filter((run) => isListed(filter as RunListFilter, run));
          expect(await store.lists.runs(filter as RunListFilter, at)).toEqual(
            expected(listed, ({ key }) => key, at),
          );
        }),
        { numRuns: 150 },
      );
    });

    test('of jobs contain exactly those that match a filter, page by page', async () => {
      const rows = await store.catalog.job.findMany({ include: { runRow: true } });
      const filters = fc.record({
        workspace: fc.constantFrom(WORKSPACE, 'other'),
        statuses: some(PROVIDER_RUNTIME_JOB_STATUSES),
        providers: some(RUN_PROVIDERS),
        runner: fc.option(fc.constantFrom('runner-0', 'runner-1', 'none')),
        createdFrom: fc.constantFrom(null, 0, 2 ** 50),
        createdBefore: fc.constantFrom(null, 0, 2 ** 50),
      });
      await fc.assert(
        fc.asyncProperty(filters, pageArbitrary, async (filter: JobListFilter, { cursor, ...page }) => {
          const at = { ...page, cursor: cursor === null ? null : keys[0]! + cursor };
          const listed = rows.filter(
            ({ status, runner, createdAt, runRow }) =>
              runRow.workspace === filter.workspace &&
              (filter.statuses === null || filter.statuses.some((wanted) => wanted === status)) &&
              (filter.providers === null || filter.providers.some((wanted) => wanted === runRow.provider)) &&
              (filter.runner === null || filter.runner === runner) &&
              (filter.createdFrom === null || createdAt >= filter.createdFrom) &&
              (filter.createdBefore === null || createdAt < filter.createdBefore),
          );
          expect(await store.lists.jobs(filter, at)).toEqual(expected(listed, ({ run }) => run, at));
        }),
        { numRuns: 100 },
      );
    });

    test('compare labels as JSON text: numbers of any size, and a text never equals a number', async () => {
      for (const n of [0.1 + 0.2, 12_345_678_901_234_567_000, 1e300, 1, '1']) {
        const found = await store.lists.runs({ ...ANY_RUN, labels: { n } }, FIRST);
        expect(found.length, String(n)).toBeGreaterThan(0);
        const rows = await store.catalog.run.findMany({ where: { key: { in: [...found] } } });
        expect(rows.every(({ labels }) => (labels as { n: unknown }).n === n)).toBe(true);
      }
    });
  });
}
