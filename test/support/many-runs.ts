import type { Database } from '../../src/store/sqlite-file/driver.ts';

/** Adds runs with a title to a migrated SQLite file, in one statement. */
export function manyRuns(database: Database, count: number): void {
  database
    .prepare(
      `INSERT INTO run (id, workspace, provider, runtime, title, labels, created_at)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       SELECT 'many-' || i, 'default', 'openai', 'managed', 'a title of some words ' || i, '{}', i FROM n`,
    )
    .run(count);
}
