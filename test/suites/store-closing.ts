import { describe, expect, test } from 'vitest';
import { EMPTY_HEAD } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { append, createRun, events, readLog } from './store-records.ts';

/** Tests closing a store. */
export function testClosing({ open, freshUrl }: TestDatabase): void {
  describe('closing', () => {
    test('everything requested before is answered, however much it is', async () => {
      const url = await freshUrl();
      const store = await open(url);
      const runs = await Promise.all(Array.from({ length: 60 }, () => createRun(store)));
      const commits = runs.map((run) => store.commit([append(run, EMPTY_HEAD, events(0, 3))]));
      await store.close();
      const stored = await Promise.all(commits);
      expect(stored.map((keys) => [...keys])).toEqual(runs.map(({ key }) => [key]));
      const again = await open(url);
      for (const run of runs) expect(await readLog(again, run)).toEqual(events(0, 3));
    });

    test('a closed store answers with an error', async () => {
      const store = await open();
      const run = await createRun(store);
      await store.catalog.run.count();
      await store.close();
      await expect(store.ping()).rejects.toThrow();
      await expect(store.findRun(run.workspace, run.id)).rejects.toThrow();
      await expect(store.commit([append(run, EMPTY_HEAD, events(0, 1))])).rejects.toThrow();
    });
  });
}
