import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;
const BUILT = join(ROOT, 'dist/cli/main.js');

/** Brings `dist` up to date once per run, for the tests that start the program as a process or look at the package. */
export function setup(): void {
  const changed = newestChange(join(ROOT, 'src'));
  if (builtAt() > changed) return;
  const problems = run('node_modules/.bin/tsc', ['-p', '.config/tsconfig.build.json']);
  // A wrong type is told by the type check; here it counts whether the programs were written.
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
