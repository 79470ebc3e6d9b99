import { closeSync, existsSync, fsyncSync, linkSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';
import { readRegularFile } from '../lib/regular-file.ts';

/** More than any secret of this server takes, with space around it. */
const MAX_BYTES = 4 * 1024;

/**
 * Returns the trimmed text of a file. If missing, creates it with `make`'s text, readable only by its owner.
 */
export function readSecretFile(path: string, make: () => string): string {
  makeFolder(dirname(path), 0o700);
  if (!existsSync(path)) makeSecretFile(path, make());
  const read = readRegularFile(path, MAX_BYTES);
  if (!read.ok) throw new Error(`${path} ${read.problem}`);
  return read.text.trim();
}

/** Links a complete draft to `path`. If two processes create the file at once, the first one wins. */
function makeSecretFile(path: string, text: string): void {
  const draft = `${path}.${process.pid}`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${text}\n`);
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
}
