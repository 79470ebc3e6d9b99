import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { PACKAGE_FOLDER } from '../support/runfeed-process.ts';

const run = promisify(execFile);
const require = createRequire(pathToFileURL(join(PACKAGE_FOLDER, 'package.json')));

/** Runs a program with plain Node, without Vite, in the package's folder. Returns its output as JSON. */
async function evaluate(program: string): Promise<unknown> {
  const args = ['--input-type=module', '--eval', program];
  const { stdout } = await run(process.execPath, args, { cwd: PACKAGE_FOLDER });
  return JSON.parse(stdout);
}

test('a build replaces each file in one step, so a process that has the old file open still reads all of it', async () => {
  const main = join(PACKAGE_FOLDER, 'dist/cli/main.js');
  const old = await open(main);
  try {
    const before = await readFile(main, 'utf8');
    await run('npm', ['run', 'build'], { cwd: PACKAGE_FOLDER });
    expect((await stat(main)).ino).not.toBe((await old.stat()).ino);
    expect(await old.readFile('utf8')).toBe(before);
    expect((await stat(main)).mode & 0o111).toBe(0o111);
    expect(readdirSync(PACKAGE_FOLDER).filter((name) => /^dist-(?!packages)/.test(name))).toEqual([]);
  } finally {
    await old.close();
  }
});

describe('the published entries', () => {
  test.each(['runfeed/contract', 'runfeed/client'])('%s is resolved by require.resolve', (entry) => {
    expect(require.resolve(entry)).toBe(
      join(PACKAGE_FOLDER, 'dist', entry.slice('runfeed/'.length), 'index.js'),
    );
  });

  test('runfeed/contract exports the validator, which works', async () => {
    const verdict = await evaluate(`
      const { validateRunnerEventBatch } = await import('runfeed/contract');
      console.log(JSON.stringify(validateRunnerEventBatch({ v: 2 })));
    `);
    expect(verdict).toMatchObject({ ok: false, code: 'version_mismatch' });
  });

  test('runfeed/client exports exactly these names', async () => {
    const names = await evaluate(`console.log(JSON.stringify(Object.keys(await import('runfeed/client'))))`);
    expect(names).toEqual([
      'CLAIM_REFUSED_EXIT_CODE',
      'ClaimRefused',
      'IngestFailed',
      'ReportFailed',
      'StreamCut',
      'StreamRefused',
      'claimJob',
      'createMemorySpool',
      'createReporter',
      'createRunView',
      'ingestBatch',
      'streamEvents',
      'streamRun',
    ]);
    const forNode = await evaluate(
      `console.log(JSON.stringify(Object.keys(await import('runfeed/client/node'))))`,
    );
    expect(forNode).toEqual(['SpoolDamaged', 'openFileSpool']);
  });

  test('runfeed itself is the client', async () => {
    expect(require.resolve('runfeed')).toBe(require.resolve('runfeed/client'));
  });

  test.each(['runfeed/server', 'runfeed/dist/cli/main.js'])('%s is not published', (entry) => {
    expect(() => require.resolve(entry)).toThrow(
      /ERR_PACKAGE_PATH_NOT_EXPORTED|is not defined by "exports"|No "exports" main/,
    );
  });
});

describe('the package', () => {
  let files: readonly string[] = [];

  beforeAll(async () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await run('npm', args, { cwd: PACKAGE_FOLDER, maxBuffer: 16 * 1024 * 1024 });
    const [packed]: [{ files: readonly { path: string }[] }] = JSON.parse(stdout);
    files = packed.files.map(({ path }) => path);
  });

  test('contains everything it needs to run, its README and its license', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'package.json',
        'dist/cli/main.js',
        'dist/contract/index.js',
        'dist/contract/index.d.ts',
        'dist/client/index.js',
        'dist/client/index.d.ts',
        'dist/generated/postgres/client.js',
        'dist/generated/sqlite/client.js',
      ]),
    );
  });

  test('contains the program of every source file, including generated ones', () => {
    const sources = readdirSync(join(PACKAGE_FOLDER, 'src'), { recursive: true, encoding: 'utf8' });
    const programs = sources
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `dist/${name.replace(/\.ts$/, '.js')}`);
    expect(programs.length).toBeGreaterThan(50);
    expect(programs.filter((name) => !files.includes(name))).toEqual([]);
  });

  test.each(['prisma/migrations', 'prisma/sqlite/migrations'])('contains all of %s', (folder) => {
    const scripts = readdirSync(join(PACKAGE_FOLDER, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.sql'))
      .map((name) => `${folder}/${name}`);
    expect(scripts.length).toBeGreaterThan(0);
    expect(files).toEqual(expect.arrayContaining(scripts));
  });

  test('contains no tests, sources, source maps or database', () => {
    const allowed = /^(LICENSE|README\.md|package\.json|schema\.graphql|docs\/.*|dist\/.*|prisma\/.*)$/;
    expect(files.filter((name) => !allowed.test(name))).toEqual([]);
    expect(files.filter((name) => /\.test\.|\.map$|\.db\b|\.env|node_modules/.test(name))).toEqual([]);
  });
});
