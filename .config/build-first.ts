import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;
const BUILT = join(ROOT, 'dist/cli/main.js');

/**
 * Updates `dist` once per test run, for the tests that start the program as a process or inspect the package.
 */
export function setup(): void {
  const changed = newestChange(join(ROOT, 'src'));
  if (builtAt() > changed) return;
  const problems = run(process.execPath, ['.config/build.mjs']);
  // The type check reports wrong types. Here it only matters that the programs were written.
  if (builtAt() <= changed) throw new Error(`the build failed:\n${problems}`);
}

function run(program: string, args: readonly string[]): string {
  return spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' }).stdout;
}

function builtAt(): number {
  return existsSync(BUILT) ? statSync(BUILT).mtimeMs : 0;
}

function newestChange(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(...files.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs));
}
