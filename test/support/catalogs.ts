import { execute } from './sql.ts';

/** A CHECK constraint as the database's catalog returns it. */
export interface Check {
  readonly name: string;
  readonly definition: string;
}

/** The options of a table besides columns and constraints. Empty if there are none. */
export interface TableOptions {
  readonly table: string;
  readonly options: string;
}

/** Returns every named CHECK constraint of the database, ordered by name. */
export async function readChecks(url: string): Promise<Check[]> {
  if (url.startsWith('file:')) {
    const tables = await readSqliteTables(url);
    const found = tables.flatMap(({ sql }) => [
      ...sql.matchAll(/^\s*CONSTRAINT "(\w+)" (CHECK \(.*\)),?$/gm),
    ]);
    const checks = found.map(([, name = '', definition = '']) => ({ name, definition }));
    return checks.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  const rows = await execute(
    url,
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace ORDER BY conname COLLATE "C"`,
  );
  return rows.map(({ name, definition }) => ({ name: String(name), definition: String(definition) }));
}

/** Returns the options of every table except Prisma's own, ordered by name. */
export async function readTableOptions(url: string): Promise<TableOptions[]> {
  if (url.startsWith('file:')) {
    const tables = await readSqliteTables(url);
    return tables.map(({ name, sql }) => ({
      table: name,
      options: sql.slice(sql.lastIndexOf(')') + 1).trim(),
    }));
  }
  const rows = await execute(
    url,
    `SELECT relname AS name, array_to_string(reloptions, ',') AS options FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '_prisma_migrations'
     ORDER BY relname COLLATE "C"`,
  );
  return rows.map(({ name, options }) => ({ table: String(name), options: String(options ?? '') }));
}

async function readSqliteTables(url: string): Promise<{ name: string; sql: string }[]> {
  const rows = await execute(
    url,
    `SELECT name, sql FROM sqlite_master
     WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_prisma_migrations' ORDER BY name`,
  );
  return rows.map(({ name, sql }) => ({ name: String(name), sql: String(sql) }));
}
