import { beforeAll, describe, expect, test } from 'vitest';
import { RUN_PROVIDERS, RUN_RUNTIMES } from '../../src/contract/jobs.ts';
import { EMPTY_HEAD, type Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createRun, newRun } from './store-records.ts';

/** Tests creating and finding runs. */
export function testRuns({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  describe('runs', () => {
    test('a new run is stored as requested, with an empty log', async () => {
      const asked = newRun({ provider: 'gemini', runtime: 'native' });
      const { created, run } = await store.createRun(asked);
      expect(created).toBe(true);
      expect(run).toEqual({
        key: run.key,
        workspace: asked.workspace,
        id: asked.id,
        provider: 'gemini',
        runtime: 'native',
        ...EMPTY_HEAD,
      });
      expect(await store.findRun(asked.workspace, asked.id)).toEqual(run);
    });

    test('every provider and runtime of the contract can be stored', async () => {
      for (const provider of RUN_PROVIDERS) {
        for (const runtime of RUN_RUNTIMES) {
          expect(await createRun(store, { provider, runtime })).toMatchObject({ provider, runtime });
        }
      }
    });

    test('creating a run again returns the first one unchanged', async () => {
      const asked = newRun({ provider: 'openai' });
      const first = await store.createRun(asked);
      const again = await store.createRun({ ...asked, provider: 'mistral', runtime: 'native' });
      expect(again).toEqual({ created: false, run: first.run });
    });

    test('twenty concurrent requests for the same run get one run, and one of them created it', async () => {
      const asked = newRun();
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.createRun(asked)));
      expect(new Set(answers.map(({ run }) => run.key)).size).toBe(1);
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
    });

    test('the same id in another workspace is another run', async () => {
      const one = await createRun(store, { id: 'shared' });
      const other = await createRun(store, { id: 'shared' });
      expect(other.key).not.toBe(one.key);
      expect((await store.findRun(one.workspace, 'shared'))?.key).toBe(one.key);
      expect((await store.findRun(other.workspace, 'shared'))?.key).toBe(other.key);
    });

    test('ids are compared exactly', async () => {
      const run = await createRun(store, { id: 'Run-é' });
      for (const id of ['run-é', 'RUN-É', 'Run-e', 'Run-e\u0301', ' Run-é', 'Run-é ', 'Run-_', 'Run-%']) {
        expect(await store.findRun(run.workspace, id)).toBeNull();
      }
    });

    test('a run that was never created is not found', async () => {
      const run = await createRun(store);
      expect(await store.findRun(run.workspace, 'no-such-run')).toBeNull();
      expect(await store.findRun('no-such-workspace', run.id)).toBeNull();
    });

    test('heads are returned by key, without runs that do not exist', async () => {
      const [one, two] = [await createRun(store), await createRun(store)];
      const heads = await store.readHeads([two.key, 2_000_000_000, one.key]);
      expect([...heads.keys()].sort()).toEqual([one.key, two.key].sort());
      expect(heads.get(one.key)).toEqual(EMPTY_HEAD);
      expect(await store.readHeads([])).toEqual(new Map());
    });

    test('the catalog returns what was stored, with title and labels', async () => {
      const labels = { team: 'a "quoted" \\ name', empty: '' };
      const run = await createRun(store, { title: 'Überschrift 🦊', labels: JSON.stringify(labels) });
      const found = await store.catalog.run.findMany({ where: { workspace: run.workspace } });
      expect(found).toHaveLength(1);
      expect(found[0]).toMatchObject({ key: run.key, title: 'Überschrift 🦊', labels, lastSeq: -1n });
    });
  });
}
