// Compiles src into dist. tsc empties each file before it writes it, and a process that starts meanwhile finds
// half a program. So tsc writes to a folder of its own, and each finished file replaces the old one in one step.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Started as a program, and replaced last: its time says when the whole build was done. */
const MAIN = join('cli', 'main.js');

const fresh = mkdtempSync(join(ROOT, 'dist-'));
try {
  const { status, error } = spawnSync(
    join(ROOT, 'node_modules/.bin/tsc'),
    ['-p', join(ROOT, '.config/tsconfig.build.json'), '--outDir', fresh],
    { stdio: 'inherit' },
  );
  if (error) throw error;
  process.exitCode = status ?? 1;
  const files = readdirSync(fresh, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(fresh, join(parentPath, name)));
  for (const file of [...files.filter((name) => name !== MAIN), ...files.filter((name) => name === MAIN)]) {
    const target = join(ROOT, 'dist', file);
    mkdirSync(dirname(target), { recursive: true });
    if (file === MAIN) chmodSync(join(fresh, file), 0o755);
    renameSync(join(fresh, file), target);
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
