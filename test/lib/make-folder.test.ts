import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from '../../src/lib/make-folder.ts';

test('a folder is created with its parents, and left as it is if it exists', () => {
  const root = mkdtempSync(join(tmpdir(), 'runfeed-folder-'));
  makeFolder(join(root, 'a/b/c'), 0o700);
  makeFolder(join(root, 'a/b/c'), 0o755);
  expect(statSync(join(root, 'a/b/c')).mode & 0o777).toBe(0o700);
  rmSync(root, { recursive: true });
});

test.runIf(existsSync('/proc/self'))('a folder that cannot be created is an error at once', () => {
  expect(() => makeFolder('/proc/runfeed/nope')).toThrow(/ENOENT.*\/proc\/runfeed/);
});
