import { readFileSync } from 'node:fs';

/** This package's version. Its file lies two folders up, seen from `src` and from `dist`. */
export const VERSION: string = readVersion(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

function readVersion(text: string): string {
  const { version }: { version?: unknown } = JSON.parse(text);
  if (typeof version !== 'string') throw new Error('package.json names no version');
  return version;
}
