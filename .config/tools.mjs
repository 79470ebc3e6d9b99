// Installs the tools of a folder that has its own package.json and lock file, unless they are already
// installed:
// node .config/tools.mjs FOLDER
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const installed = join(folder, 'node_modules/.package-lock.json');
const wanted = join(folder, 'package-lock.json');

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(wanted).mtimeMs) {
  console.error(`installing the tools of ${folder}`);
  // Nothing here needs install scripts. Prisma's would download an engine that is never started.
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', ['ci', ...options], { cwd: folder, stdio: ['ignore', 2, 2] });
  process.exitCode = status ?? 1;
}
