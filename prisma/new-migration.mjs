// Writes the next migration of both dialects: node prisma/new-migration.mjs NAME
// TEST_POSTGRES_URL names a Postgres server on which the history can be played through in a database of its own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { deriveSqliteSchema } from './derive-sqlite.mjs';
import { diffHistoryWithSchema, readHistory, readSchema, startSchemaEngine } from './schema-engine.mjs';

const [name = ''] = process.argv.slice(2);
const postgresUrl = process.env.TEST_POSTGRES_URL;

if (!/^[a-z][a-z0-9_]*$/.test(name))
  fail('give the migration a name of small letters: new-migration.mjs add_run_note');
if (!postgresUrl) fail('set TEST_POSTGRES_URL to a Postgres server to compare on');

const source = readFileSync(new URL('./schema.prisma', import.meta.url), 'utf8');
writeFileSync(new URL('./sqlite/schema.prisma', import.meta.url), deriveSqliteSchema(source));

const scripts = {
  postgres: await difference('postgres', postgresUrl),
  sqlite: await difference('sqlite', 'file::memory:'),
};
if (!scripts.postgres && !scripts.sqlite)
  fail('both histories end in what the schemas say: there is nothing to write');

const stamp = new Date().toISOString().replaceAll(/[-:T]|\..*/g, '');
for (const [dialect, sql] of Object.entries(scripts)) {
  const folder = `${readHistory(dialect).baseDir}${stamp}_${name}/`;
  mkdirSync(folder);
  // Both histories have the same steps, so one of them may have nothing to do.
  writeFileSync(`${folder}migration.sql`, sql || '-- Nothing to do on this dialect.\n');
  console.log(`wrote ${folder}migration.sql`);
}
console.log(`
Now by hand, since the engine sees none of it:
- CHECK constraints of new columns, and the lists of old ones (a chain of equalities on SQLite's event table);
- table options (fillfactor on Postgres);
- where SQLite's script makes a table anew ("new_..."): its CHECKs, which the copy has lost.
Then let test/store/drift.test.ts say whether histories, schemas and lists agree.`);

async function difference(dialect, url) {
  const engine = await startSchemaEngine(url);
  return diffHistoryWithSchema(engine, readHistory(dialect), readSchema(dialect));
}

/** @param {string} reason @returns {never} */
function fail(reason) {
  console.error(reason);
  process.exit(1);
}
