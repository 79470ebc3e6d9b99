import pg from 'pg';
import { databaseFile } from '../../src/config/data-folder.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';

/**
 * Runs one statement on a separate connection, bypassing every store. A SQLite file must not be open
 * elsewhere.
 */
export async function execute(url: string, sql: string): Promise<Record<string, unknown>[]> {
  return url.startsWith('file:') ? executeOnSqlite(url, sql) : executeOnPostgres(url, sql);
}

function executeOnSqlite(url: string, sql: string): Record<string, unknown>[] {
  const database = new Database(databaseFile(url));
  try {
    const statement = database.prepare<[], Record<string, unknown>>(sql);
    if (statement.reader) return statement.all();
    statement.run();
    return [];
  } finally {
    database.close();
  }
}

async function executeOnPostgres(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Runs a script of many statements on a separate connection. */
export async function executeScript(url: string, script: string): Promise<void> {
  if (!url.startsWith('file:')) return void (await executeOnPostgres(url, script));
  const database = new Database(databaseFile(url));
  try {
    database.exec(script);
  } finally {
    database.close();
  }
}
