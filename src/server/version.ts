import { readFileSync } from 'node:fs';

/** This package's version. `package.json` is two folders up from here, both in `src` and in `dist`. */
export const VERSION: string = readVersion(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

function readVersion(text: string): string {
  const { version }: { version?: unknown } = JSON.parse(text);
  if (typeof version !== 'string') throw new Error('package.json has no version');
  return version;
}
