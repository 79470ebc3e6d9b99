import { chmod, mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { openStore } from '../../src/store/open.ts';
import { createRun } from '../suites/store-records.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';

async function modesIn(folder: string): Promise<Readonly<Record<string, string>>> {
  const modes: Record<string, string> = {};
  for (const name of (await readdir(folder)).toSorted()) {
    modes[name] = ((await stat(join(folder, name))).mode & 0o777).toString(8);
  }
  return modes;
}

const CLOSED = {
  'runfeed.db': '600',
  'runfeed.db-lock': '600',
  'runfeed.db-shm': '600',
  'runfeed.db-wal': '600',
};

/** Opens a store on this file under a permissive umask. It is closed after the test. */
async function open(url: string): Promise<void> {
  const before = process.umask(0o000);
  const store = await openStore(url).finally(() => process.umask(before));
  releaseAfterwards(() => store.close());
  await store.ping();
}

test('only the owner can access a database and its new folders, whatever the umask', async () => {
  const folder = join(dirname(databaseFile(await freshSqliteUrl())), 'a', 'b');
  await open(`file:${join(folder, 'runfeed.db')}`);
  expect(await modesIn(folder)).toMatchObject(CLOSED);
  expect(new Set(Object.values(await modesIn(folder)))).toEqual(new Set(['600']));
  for (const made of [folder, dirname(folder)]) expect((await stat(made)).mode & 0o777).toBe(0o700);
});

test('files of an older database lose access for other users, even behind a link', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  const store = await openStore(url);
  await createRun(store);
  await store.close();
  for (const name of await readdir(dirname(file))) await chmod(join(dirname(file), name), 0o644);
  await chmod(dirname(file), 0o755);
  const links = join(dirname(file), 'links');
  await mkdir(links);
  await symlink(file, join(links, 'linked.db'));
  await open(`file:${join(links, 'linked.db')}`);
  expect(await modesIn(dirname(file))).toMatchObject(CLOSED);
  // An existing folder is left alone: other users may have been given access to it on purpose.
  expect((await stat(dirname(file))).mode & 0o777).toBe(0o755);
});
