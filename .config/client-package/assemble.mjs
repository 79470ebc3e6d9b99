// Assembles the package @runfeed/client from the build: its three entries and the modules that they import.
// node .config/client-package/assemble.mjs FOLDER
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ENTRIES = {
  '.': 'dist/client/index',
  './contract': 'dist/contract/without-zod',
  './node': 'dist/client/file-spool',
};

const folder = process.argv[2];
if (!folder) throw new Error('usage: node assemble.mjs FOLDER (the folder to write)');

/** Adds a module and its imports to `found`, as paths from the root. Throws if a module imports a package. */
function collect(path, found) {
  if (found.has(path)) return;
  found.add(path);
  const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"]([^'"]+)['"]/g)) {
    if (name.startsWith('.')) {
      const target = relative(ROOT, resolve(ROOT, dirname(path), name));
      // Declarations refer to the source or the program. Both stand for the declaration next to it.
      collect(path.endsWith('.d.ts') ? target.replace(/(\.d)?\.[jt]s$/, '.d.ts') : target, found);
    } else if (!name.startsWith('node:'))
      throw new Error(`${path} imports ${name}: the client must not import packages`);
  }
}

const files = new Set();
for (const entry of Object.values(ENTRIES)) for (const kind of ['.js', '.d.ts']) collect(entry + kind, files);

rmSync(folder, { recursive: true, force: true });
for (const path of files) {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  copyFileSync(join(ROOT, path), join(folder, path));
}
copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
copyFileSync(fileURLToPath(new URL('README.md', import.meta.url)), join(folder, 'README.md'));

const { version, license, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const manifest = {
  name: '@runfeed/client',
  version,
  description: 'Follow the runs of a runfeed server and send events to it, from Node, browsers, Bun or Deno.',
  license,
  type: 'module',
  engines,
  sideEffects: false,
  exports: {
    ...Object.fromEntries(
      Object.entries(ENTRIES).map(([name, path]) => [
        name,
        { types: `./${path}.d.ts`, default: `./${path}.js` },
      ]),
    ),
    './package.json': './package.json',
  },
  files: ['dist'],
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
