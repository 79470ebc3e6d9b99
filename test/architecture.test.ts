import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** From the ground up: a room may import itself and the rooms on the floors below. */
const FLOORS = [
  ['contract', 'lib'],
  ['config'],
  ['store'],
  ['wakeups'],
  ['ingest'],
  ['feed', 'auth', 'retention'],
  ['substrates', 'runs'],
  ['jobs', 'native'],
  ['graphql'],
  ['server'],
  ['cli'],
] as const;

/** Rooms next to the floors, with the rooms that may import them. They may import only the ground floor. */
const ANNEXES: Readonly<Record<string, readonly string[]>> = {
  runtimes: ['cli', 'native'],
  client: ['cli'],
};

/** The rooms that may import the code that Prisma and Pothos generate, which is not a room. */
const USERS_OF_GENERATED = ['store', 'graphql'];

/** A separate published entry, for Node only. */
const NODE_ENTRY = 'client/file-spool.ts';

/** The file that loads the SQLite driver, whose package depends on Node's version. */
const DRIVER = 'src/store/sqlite-file/driver.ts';

const README_MAX_LINES = 20;
const FOLDER_MAX_FILES = 15;
const MAX_DEPTH = 2;

interface SourceFile {
  /** The path from `src`, such as `feed/ring.ts`. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** The imported files as paths from `src`, and packages by name. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('generated/'))
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8');
    return { path, room: roomOf(path), text, imports: importsOf(path, text) };
  });

const rooms = readdirSync(SRC, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'generated')
  .map(({ name }) => name);

function importsOf(path: string, text: string): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*['"]([^'"]+)['"]/g);
  return [...found].map(([, name = '']) =>
    name.startsWith('.') ? relative(SRC, join(SRC, dirname(path), name)) : name,
  );
}

/** Returns `path → import` for every forbidden import. */
function offences(forbidden: (file: SourceFile, imported: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((imported) => forbidden(file, imported))
      .map((imported) => `${file.path} → ${imported}`),
  );
}

function roomOf(path: string): string {
  return path.split('/', 1)[0]!;
}

function mayImport(room: string, target: string): boolean {
  if (target === room) return true;
  if (target === 'generated') return USERS_OF_GENERATED.includes(room);
  const users = ANNEXES[target];
  if (users) return users.includes(room);
  return floorOf(target) < (room in ANNEXES ? 1 : floorOf(room));
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms: readonly string[]) => rooms.includes(room));
}

const isFile = (imported: string) => imported.endsWith('.ts');

describe('the rooms of the source', () => {
  test('are all listed in the floors or annexes', () => {
    expect(rooms.filter((room) => floorOf(room) < 0 && !(room in ANNEXES))).toEqual([]);
    expect(files.filter(({ path }) => !path.includes('/'))).toEqual([]);
  });

  test('import each other in one direction only', () => {
    expect(files.flatMap(({ imports }) => imports).filter(isFile).length).toBeGreaterThan(100);
    expect(offences(({ room }, imported) => isFile(imported) && !mayImport(room, roomOf(imported)))).toEqual(
      [],
    );
  });

  test(`have at most ${FOLDER_MAX_FILES} files in a folder, and folders at most ${MAX_DEPTH} deep`, () => {
    const counts = new Map<string, number>();
    for (const { path } of files) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    const folders = [...counts.keys()];
    expect(folders.filter((folder) => counts.get(folder)! > FOLDER_MAX_FILES)).toEqual([]);
    expect(folders.filter((folder) => folder.split('/').length > MAX_DEPTH)).toEqual([]);
  });

  test('import only zod into the contract', () => {
    const foreign = ({ room }: SourceFile, imported: string) =>
      room === 'contract' && imported !== 'zod' && !imported.startsWith('contract/');
    expect(offences(foreign)).toEqual([]);
  });

  test('import no Node module into code for browsers', () => {
    const forBrowsers = ['contract', 'client'];
    const nodes = ({ room, path }: SourceFile, imported: string) =>
      forBrowsers.includes(room) &&
      path !== NODE_ENTRY &&
      (imported.startsWith('node:') || imported === NODE_ENTRY);
    expect(offences(nodes)).toEqual([]);
  });

  test('read the environment in config only', () => {
    const readers = files.filter(({ text }) => /\bprocess\s*\.\s*env\b/.test(text)).map(({ room }) => room);
    expect([...new Set(readers)]).toEqual(['config']);
  });

  test('write to the standard streams through descriptors only, since an error of a stream ends the process', () => {
    const writers = files.filter(({ text }) => /\bprocess\.std(?:out|err)\.|\bconsole\.\w+\(/.test(text));
    expect(writers.map(({ path }) => path)).toEqual([]);
    const logs = files.filter(({ text }) => /\bpino\.(?:destination|transport)\b/.test(text));
    expect(logs.map(({ path }) => path)).toEqual([]);
  });

  test('load the SQLite driver in one place, tests and tools included', () => {
    const root = join(SRC, '..');
    const programs = ['src', 'test', 'prisma'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.m?[jt]s$/.test(path) && !path.includes('node_modules'))
        .map((path) => join(folder, path)),
    );
    const loading = programs.filter((path) =>
      importsOf(path, readFileSync(join(root, path), 'utf8')).some((name) => /^better-sqlite3\b/.test(name)),
    );
    expect(loading).toEqual([DRIVER]);
  });

  test('have no default exports', () => {
    expect(files.filter(({ text }) => /^export\s+default\b|\bas default\b/m.test(text))).toEqual([]);
  });

  test.each(rooms)('have a README of at most 20 lines: %s', (room) => {
    const readme = join(SRC, room, 'README.md');
    expect(existsSync(readme)).toBe(true);
    const lines = readFileSync(readme, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toBe(`# ${room}`);
    expect(lines.length).toBeLessThanOrEqual(README_MAX_LINES);
  });
});
