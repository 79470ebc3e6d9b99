import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { lineOf } from '../../lib/text/error-line.ts';

const require = createRequire(import.meta.url);
const isNode20 = process.versions.node.startsWith('20.');

const REMEDY = isNode20
  ? 'run npm rebuild better-sqlite3 or, if that package is missing, reinstall runfeed without --omit=optional'
  : 'reinstall runfeed with this version of Node and without --omit=optional';

/**
 * The constructor of SQLite connections: better-sqlite3 13, or 12 on Node 20, where 13 crashes the process.
 * Since Node 24.19, 12 crashes when one of its objects is collected (github.com/nodejs/node/issues/65446).
 * Both are optional dependencies, so that npm skips the one that does not fit Node, and a failed build of
 * the other does no harm. 12 claims to fit newer versions, too. In the lock file its `engines` are narrowed to
 * Node 20 by hand, because npm would compile it on the others for a minute.
 */
export const Database: typeof BetterSqlite3 = loadDriver();

/** An open connection. */
export type Database = BetterSqlite3.Database;

/** A compiled statement of a connection. */
export type Statement<
  Parameters extends unknown[] | object = unknown[],
  Row = unknown,
> = BetterSqlite3.Statement<Parameters, Row>;

/** An error of SQLite. Its `code` is SQLite's, such as SQLITE_BUSY. */
export const SqliteError: typeof BetterSqlite3.SqliteError = Database.SqliteError;

function loadDriver(): typeof BetterSqlite3 {
  try {
    const Driver: typeof BetterSqlite3 = isNode20 ? require('better-sqlite3') : require('better-sqlite3-13');
    // The package loads its binary only with the first connection.
    new Driver(':memory:').close();
    return Driver;
  } catch (error) {
    const reason = lineOf(error).slice(0, 200);
    throw new Error(`cannot load the SQLite driver: ${REMEDY} (Node ${process.version}: ${reason})`, {
      cause: error,
    });
  }
}
