import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { openStore } from '../../src/store/open.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { startChild } from './children/start.ts';

async function open(url: string) {
  const store = await openStore(url);
  releaseAfterwards(store.close);
  return store;
}

test('opening a file again in the same process is refused with a message that says what to do', async () => {
  const url = await freshSqliteUrl();
  const store = await open(url);
  await expect(openStore(url)).rejects.toThrow(`${databaseFile(url)} is in use by another runfeed process`);
  await expect(openStore(url)).rejects.toThrow('set DATABASE_URL');
  await store.ping();
});

test('a second process is refused, and the first continues to work', async () => {
  const url = await freshSqliteUrl();
  const store = await open(url);
  const rival = startChild('hold.ts', url);
  await rival.printed(1);
  expect(rival.lines[0]).toContain(`${databaseFile(url)} is in use by another runfeed process`);
  await store.ping();
});

test('the file can be opened again after it was closed', async () => {
  const url = await freshSqliteUrl();
  await (await openStore(url)).close();
  await (await open(url)).ping();
});

test('the file can be opened again after its process was killed', async () => {
  const url = await freshSqliteUrl();
  const holder = startChild('hold.ts', url);
  await holder.printed(1);
  expect(holder.lines).toEqual(['opened']);
  await expect(openStore(url)).rejects.toThrow('is in use');
  await holder.kill();
  await (await open(url)).ping();
});

test('a file that could not be opened is not locked', async () => {
  const url = await freshSqliteUrl();
  await mkdir(databaseFile(url));
  await expect(openStore(url)).rejects.toThrow();
  await rm(databaseFile(url), { recursive: true });
  await (await open(url)).ping();
});

test('opening the file through a symbolic link is refused, too', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  await open(url);
  await symlink(file, `${file}-linked`);
  await symlink(join(file, '..'), `${file}-folder`);
  await expect(openStore(`file:${file}-linked`)).rejects.toThrow('is in use');
  await expect(openStore(`file:${join(`${file}-folder`, 'runfeed.db')}`)).rejects.toThrow('is in use');
});

test('the folder is created, and a relative path is relative to the working directory', async () => {
  const folder = await mkdtemp('runfeed-relative-');
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  await open(`file:${relative(process.cwd(), folder)}/a/b/runfeed.db`);
  expect(existsSync(join(process.cwd(), folder, 'a/b/runfeed.db'))).toBe(true);
});
