import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';

/** The text in this file, trimmed. Without one it is made, with `make`'s text and readable by its owner alone. */
export function readSecretFile(path: string, make: () => string): string {
  makeFolder(dirname(path), 0o700);
  if (!existsSync(path)) makeSecretFile(path, make());
  return readFileSync(path, 'utf8').trim();
}

/** The draft is linked once it is whole. Of two processes the first one's file stays. */
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
