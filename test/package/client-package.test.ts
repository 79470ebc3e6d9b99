import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import { releaseAfterwards } from '../support/releases.ts';
import { PACKAGE_FOLDER } from '../support/runfeed-process.ts';
import { startTestServer } from '../support/server.ts';

const run = promisify(execFile);
const KIB = 1024;

const TYPED = `
  import { createReporter, type RunStep, streamRun } from '@runfeed/client';
  import { FAULT_CODES, type RunnerEventKind, validateRunnerEventBatch } from '@runfeed/client/contract';
  import { openFileSpool } from '@runfeed/client/node';
  const kind: RunnerEventKind = 'assistant_text';
  const first: Promise<IteratorResult<RunStep>> = streamRun('r', { url: 'http://h' }).next();
  const verdict = validateRunnerEventBatch({ kind });
  export const used = [first, createReporter, openFileSpool, FAULT_CODES, verdict.ok ? verdict.batch : verdict.code];
`;

const USE = `
  import { createReporter, streamRun } from '@runfeed/client';
  import { openFileSpool } from '@runfeed/client/node';
  import { validateRunnerEventBatch } from '@runfeed/client/contract';
  const url = process.argv[2];
  const query = 'mutation { createRun(input: { id: "r", provider: openai }) { __typename } }';
  const headers = { 'content-type': 'application/json' };
  await fetch(url + '/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) });
  const reporter = createReporter({ runId: 'r', url, spool: await openFileSpool('spool') });
  await reporter.report({ kind: 'assistant_text', data: { text: 'hello' } });
  await reporter.report({ kind: 'runtime_terminal', data: { outcome: 'completed' } });
  await reporter.close();
  let last;
  for await (const { view } of streamRun('r', { url })) last = view;
  console.log(JSON.stringify({ text: last.text(), code: validateRunnerEventBatch(null).code }));
`;

describe('the package @runfeed/client', () => {
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'runfeed-client-package-'));
    releaseAfterwards(() => rmSync(folder, { recursive: true }));
    const assembled = join(folder, 'package');
    const assemble = join(PACKAGE_FOLDER, '.config/client-package/assemble.mjs');
    await run(process.execPath, [assemble, assembled]);
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: assembled });
    const [packed]: [{ filename: string; size: number; unpackedSize: number }] = JSON.parse(stdout);
    expect(packed.size).toBeLessThan(50 * KIB);
    expect(packed.unpackedSize).toBeLessThan(200 * KIB);
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    const tarball = join(folder, packed.filename);
    // Offline: the package has no dependencies.
    await run('npm', ['install', '--engine-strict', '--offline', '--no-audit', '--no-fund', tarball], {
      cwd: folder,
    });
  });

  test('installs no other package', () => {
    const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(installed).toEqual(['@runfeed']);
    expect(readdirSync(join(folder, 'node_modules/@runfeed'))).toEqual(['client']);
  });

  test('reports and follows a run on a real server', async () => {
    const server = await startTestServer();
    releaseAfterwards(() => server.close());
    writeFileSync(join(folder, 'use.js'), USE);
    const { stdout } = await run(process.execPath, ['use.js', server.url], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual({ text: 'hello', code: 'invalid_envelope' });
  });

  test.each(['nodenext', 'bundler'])(
    'has types that compile with moduleResolution %s',
    async (resolution) => {
      writeFileSync(join(folder, 'typed.ts'), TYPED);
      const module = resolution === 'bundler' ? 'esnext' : 'nodenext';
      const options = [
        '--noEmit',
        '--strict',
        '--skipLibCheck',
        'false',
        '--target',
        'es2023',
        '--lib',
        'es2023,dom',
      ];
      const tsc = join(PACKAGE_FOLDER, 'node_modules/.bin/tsc');
      await run(tsc, [...options, '--module', module, '--moduleResolution', resolution, 'typed.ts'], {
        cwd: folder,
      });
    },
  );

  test('can be bundled for browsers', async () => {
    expect(await gzippedSize(`export * from '@runfeed/client'`, folder)).toBeLessThan(12 * KIB);
  });
});

test('a bundle of only the validator does not contain zod', async () => {
  const size = await gzippedSize(
    `export { validateRunnerEventBatch } from 'runfeed/contract'`,
    PACKAGE_FOLDER,
  );
  expect(size).toBeLessThan(8 * KIB);
});

test('a bundle of the zod schema contains zod', async () => {
  const size = await gzippedSize(`export { runnerEventBatchSchema } from 'runfeed/contract'`, PACKAGE_FOLDER);
  expect(size).toBeGreaterThan(8 * KIB);
});

/** The gzipped size of a program that is bundled and minified for browsers, in bytes. */
async function gzippedSize(contents: string, resolveDir: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  return gzipSync(outputFiles[0]!.contents).length;
}
