import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { lineOf } from '../../lib/error-line.ts';

const require = createRequire(import.meta.url);
const isNode20 = process.versions.node.startsWith('20.');

const REMEDY = isNode20
  ? 'run npm rebuild better-sqlite3 or, where that package is missing, install runfeed again without --omit=optional'
  : 'install runfeed again with this version of Node and without --omit=optional';

/**
 * The constructor of SQLite connections: better-sqlite3 13, or 12 on Node 20, where 13 ends the process. 12 does that
 * since Node 24.19, when one of its objects is collected (github.com/nodejs/node/issues/65446). Both are optional
 * dependencies, so that npm leaves out the one that Node is too old for and a failed build of the other does no harm.
 */
export const Database: typeof BetterSqlite3 = loadDriver();

/** An open connection. */
export type Database = BetterSqlite3.Database;

/** A compiled statement of a connection. */
export type Statement<
  Parameters extends unknown[] | object = unknown[],
  Row = unknown,
> = BetterSqlite3.Statement<Parameters, Row>;

/** What SQLite itself refuses: its `code` is SQLite's, such as SQLITE_BUSY. */
export const SqliteError: typeof BetterSqlite3.SqliteError = Database.SqliteError;

function loadDriver(): typeof BetterSqlite3 {
  try {
    const Driver: typeof BetterSqlite3 = isNode20 ? require('better-sqlite3') : require('better-sqlite3-13');
    // The package loads its binary with the first connection only.
    new Driver(':memory:').close();
    return Driver;
  } catch (error) {
    const reason = lineOf(error).slice(0, 200);
    throw new Error(`SQLite's driver cannot be loaded: ${REMEDY} (Node ${process.version}: ${reason})`, {
      cause: error,
    });
  }
}
