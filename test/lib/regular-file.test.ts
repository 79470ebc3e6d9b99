import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { readRegularFile } from '../../src/lib/regular-file.ts';
import { freshFolder } from '../support/scripts.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

const problemOf = (path: string) => {
  const read = readRegularFile(path, 2048);
  return read.ok ? null : `${read.reason}: ${read.problem}`;
};

test('what is read is a regular file of at most the stated size, also behind links', () => {
  const file = join(folder, 'file');
  symlinkSync(file, join(folder, 'link'));
  for (const text of ['', 'é', 'x'.repeat(2048)]) {
    writeFileSync(file, text);
    expect(readRegularFile(join(folder, 'link'), 2048)).toEqual({ ok: true, text });
  }
  writeFileSync(file, 'x'.repeat(2049));
  expect(problemOf(file)).toBe('unusable: has more than 2 KiB: a smaller file is required');
});

test('a file whose entry says that it is empty is read to its end, but not beyond the stated size', () => {
  expect(readRegularFile('/proc/self/comm', 2048)).toMatchObject({
    ok: true,
    text: expect.stringMatching(/\S/),
  });
  expect(problemOf('/proc/kallsyms')).toMatch(/^unusable: has more than 2 KiB|^unreadable: /);
});

test('a pipe without a writer, a device and a folder are refused at once, also behind links', () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  mkdirSync(join(folder, 'folder'));
  symlinkSync(pipe, join(folder, 'to-pipe'));
  symlinkSync('/dev/zero', join(folder, 'to-device'));
  const problems = ['pipe', 'to-pipe', 'to-device', 'folder'].map((name) => problemOf(join(folder, name)));
  expect(problems).toEqual(
    ['a pipe', 'a pipe', 'a device', 'a folder'].map(
      (kind) => `unusable: is ${kind}: a regular file is required`,
    ),
  );
});

test('a file that is missing, or cannot exist, is reported with the code of the system', () => {
  expect(problemOf(join(folder, 'missing'))).toBe('unreadable: cannot be read (ENOENT)');
  expect(problemOf(join(folder, 'x'.repeat(5_000)))).toBe('unreadable: cannot be read (ENAMETOOLONG)');
  expect(problemOf('a\0b')).toBe('unreadable: cannot be read (ERR_INVALID_ARG_VALUE)');
});
