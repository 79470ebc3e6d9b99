import { expect, test } from 'vitest';
import { freshSqliteUrl } from '../support/databases.ts';
import { freePort } from '../support/ports.ts';
import { runRunfeed } from '../support/runfeed-process.ts';

/** A Node option that hides the packages of the SQLite driver from a process. */
const WITHOUT_DRIVER = `--import=data:text/javascript,${encodeURIComponent(`
  import Module from 'node:module';
  const find = Module._resolveFilename;
  Module._resolveFilename = (name, ...rest) => {
    if (!name.startsWith('better-sqlite3')) return find(name, ...rest);
    throw Object.assign(new Error("Cannot find module '" + name + "'\\nRequire stack:\\n- /a/b.js"), { code: 'MODULE_NOT_FOUND' });
  };
`)}`;

test('a server without the SQLite driver does not start and prints in one line what to do', async () => {
  const { code, stdout, stderr } = await runRunfeed(['serve'], {
    NODE_OPTIONS: WITHOUT_DRIVER,
    DATABASE_URL: await freshSqliteUrl(),
    PORT: '0',
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(
    /^runfeed: DATABASE_URL: cannot load the SQLite driver: .*reinstall runfeed .*Node v\d+.*Cannot find module.*\n$/,
  );
});

test('a server on Postgres does not need the SQLite driver', async () => {
  const { code, stderr } = await runRunfeed(['serve'], {
    NODE_OPTIONS: WITHOUT_DRIVER,
    DATABASE_URL: `postgresql://me@127.0.0.1:${await freePort()}/runfeed`,
    PORT: '0',
  });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^runfeed: DATABASE_URL: .*ECONNREFUSED.*\n$/);
});
