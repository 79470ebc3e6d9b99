import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { PACKAGE_FOLDER, type ServeProcess, startServe } from '../support/runfeed-process.ts';
import { eventually, newRun } from '../support/runs.ts';

/** Permissions do not bind root, so root starts the server as `nobody`. */
const uid = process.getuid?.() === 0 ? 65_534 : undefined;

/** That user must be able to read the package. */
const canStart =
  uid === undefined ||
  spawnSync(process.execPath, [join(PACKAGE_FOLDER, 'dist/cli/main.js'), '--help'], { uid, gid: uid })
    .status === 0;

/** The fields of a list that Prisma reads, and those that it reads of one run. */
const LIST = '{ runs(first: 5) { nodes { id } } }';
const ONE = 'query ($id: ID!) { run(id: $id) { id title } }';

const CLOSED = [
  ['the database', (file: string) => [file], true],
  ['each file of the database', filesOf, true],
  ['the folder', (file: string) => [dirname(file)], false],
] as const;

function filesOf(file: string): string[] {
  return ['', '-wal', '-shm', '-lock'].map((suffix) => `${file}${suffix}`);
}

async function faultsOf({ graphql }: ServeProcess, query: string, variables?: Record<string, unknown>) {
  const { body } = await post(graphql, query, variables);
  return body.errors ? codesOf(body.errors) : [];
}

describe.skipIf(!canStart)(
  'a server that may no longer open its files (as root: if nobody can read the package)',
  () => {
    test.each(CLOSED)(
      'answers lists with STORE_UNAVAILABLE, and is ready only if it can write: %s',
      async (_, pathsOf, canWrite) => {
        const url = await freshSqliteUrl();
        const file = databaseFile(url);
        if (uid !== undefined) chownSync(dirname(file), uid, uid);
        const server = await startServe({ DATABASE_URL: url, LOG_LEVEL: 'info' }, uid);
        const id = await newRun(server.graphql);
        const paths = pathsOf(file);
        const open = () => {
          // A server that has stopped has no `-wal`.
          const existing = paths.filter((path) => existsSync(path));
          for (const path of existing) chmodSync(path, path === dirname(file) ? 0o700 : 0o600);
        };
        releaseAfterwards(open);
        for (const path of paths) chmodSync(path, 0);
        const written = canWrite ? [] : ['STORE_UNAVAILABLE'];
        for (const query of [LIST, ONE])
          expect(await faultsOf(server, query, { id })).toEqual(['STORE_UNAVAILABLE']);
        expect(await faultsOf(server, CREATE_RUN, { id: 'while-closed' })).toEqual(written);
        expect((await fetch(`${server.url}/ready`)).status).toBe(canWrite ? 200 : 503);
        open();
        for (const query of [LIST, ONE]) expect(await faultsOf(server, query, { id })).toEqual([]);
        expect(await faultsOf(server, CREATE_RUN, { id: 'open-again' })).toEqual([]);
        await eventually(async () => (await fetch(`${server.url}/ready`)).status === 200);
        server.kill('SIGTERM');
        const { stdout, stderr } = await server.exit;
        expect(stdout + stderr).not.toContain('unexpected error');
        expect(stdout + stderr).not.toContain('was deleted or replaced');
      },
    );
  },
);
