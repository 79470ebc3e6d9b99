import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { openStore } from '../../src/store/open.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import { createRun } from '../suites/store-records.ts';
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

test('a file with a second hard link is not opened by either name, and opens again without the link', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  await (await openStore(url)).close();
  await link(file, `${file}-twin`);
  for (const name of [file, `${file}-twin`]) {
    await expect(openStore(`file:${name}`)).rejects.toThrow(`${name} has 2 hard links`);
  }
  expect(existsSync(`${file}-twin-lock`)).toBe(false);
  await rm(`${file}-twin`);
  await (await open(url)).ping();
});

test('a hard link to a file in use is refused', async () => {
  const url = await freshSqliteUrl();
  await open(url);
  await link(databaseFile(url), `${databaseFile(url)}-twin`);
  await expect(openStore(`${url}-twin`)).rejects.toThrow('has 2 hard links');
});

test('a file that was renamed while another process has it open is refused, behind a link or not', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  const holder = startChild('hold.ts', url);
  await holder.printed(1);
  expect(holder.lines).toEqual(['opened']);
  await rename(file, `${file}-renamed`);
  await symlink(`${file}-renamed`, file);
  for (const name of [file, `${file}-renamed`])
    await expect(openStore(`file:${name}`)).rejects.toThrow('in use');
  expect(existsSync(`${file}-renamed-lock`)).toBe(false);
});

test('a file that another program reads under its own name is opened, with or without a lock beside it', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  await (await openStore(url)).close();
  for (const name of ['-lock', '-wal', '-shm']) await rm(`${file}${name}`, { force: true });
  const reader = new Database(file, { readonly: true });
  releaseAfterwards(() => reader.close());
  reader.exec('BEGIN; SELECT * FROM run');
  const store = await open(url);
  await createRun(store);
  await store.close();
  await (await open(url)).ping();
});

test('a file whose log was left under its former name is not opened through a link, but opens once it is put back', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  const holder = startChild('append-forever.ts', url, 'w');
  await holder.printed(1);
  await holder.kill();
  await rename(file, `${file}-renamed`);
  await symlink(`${file}-renamed`, file);
  await expect(openStore(url)).rejects.toThrow(`${file}-wal was left behind`);
  await rename(`${file}-renamed`, file);
  await (await open(url)).ping();
});

test('a link to a file that does not exist is refused', async () => {
  const url = await freshSqliteUrl();
  const file = databaseFile(url);
  await symlink(`${file}-missing`, file);
  await expect(openStore(url)).rejects.toThrow(`${file} is a symbolic link to a file that does not exist`);
  expect(await readdir(join(file, '..'))).toEqual(['runfeed.db']);
});

test('the folder is created, and a relative path is relative to the working directory', async () => {
  const folder = await mkdtemp('runfeed-relative-');
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  await open(`file:${relative(process.cwd(), folder)}/a/b/runfeed.db`);
  expect(existsSync(join(process.cwd(), folder, 'a/b/runfeed.db'))).toBe(true);
});
