// Prisma's schema engine as WASM over a driver adapter: it compares histories with schemas and needs no binary.
// SQLite's driver and adapter are those of the build, since Node 20 runs no TypeScript.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { adapterOf } from '../dist/store/sqlite/prisma-adapter.js';
import { Database } from '../dist/store/sqlite-file/driver.js';

const SCHEMAS = {
  postgres: new URL('./schema.prisma', import.meta.url),
  sqlite: new URL('./sqlite/schema.prisma', import.meta.url),
};
const FILTERS = { externalTables: [], externalEnums: [] };

/** Node 20 can't import WASM, which is what the package's own entry does. */
async function loadWasm() {
  const glue = import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = readFileSync(new URL('./schema_engine_bg.wasm', glue));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
}

let loading;

const SINGLE_CHAR = 18;
const NAME = 19;
const NAME_ARRAY = 1003;
const TEXT_ARRAY = 1009;
/** Types of the catalog's own columns that Prisma's adapter refuses, each with one that it reads. */
const READABLE_AS = new Map([
  [SINGLE_CHAR, pg.types.builtins.TEXT],
  [NAME, pg.types.builtins.TEXT],
  [NAME_ARRAY, TEXT_ARRAY],
]);

// Without this the engine's migration tools stop at the first look into the catalog: github.com/prisma/prisma/issues/27403
async function connectPostgres(url) {
  const pool = new pg.Pool({ connectionString: url, allowExitOnIdle: true });
  const adapter = await new PrismaPg(pool, { disposeExternalPool: true }).connect();
  const query = pool.query.bind(pool);
  const queryRaw = adapter.queryRaw.bind(adapter);
  const singleChars = new WeakMap();
  pool.query = async (...call) => {
    const result = await query(...call);
    const oids = (result.fields ?? []).map((field) => field.dataTypeID);
    for (const field of result.fields ?? []) {
      field.dataTypeID = READABLE_AS.get(field.dataTypeID) ?? field.dataTypeID;
    }
    if (result.rows)
      singleChars.set(
        result.rows,
        oids.map((oid) => oid === SINGLE_CHAR),
      );
    return result;
  };
  // The engine wants a "char" as a character, which the adapter makes of no type at all.
  adapter.queryRaw = async (call) => {
    const result = await queryRaw(call);
    const isChar = singleChars.get(result.rows) ?? [];
    const columnTypes = result.columnTypes.map((type, index) =>
      isChar[index] ? ColumnTypeEnum.Character : type,
    );
    return { ...result, columnTypes };
  };
  return adapter;
}

async function connectSqlite(url) {
  const database = new Database(url.replace('file:', ''));
  // The server's own adapter only reads.
  const executeScript = async (script) => void database.exec(script);
  // The engine sends whole migrations as one statement, too.
  const executeRaw = async ({ sql, args }) => {
    if (args.length > 0) throw new Error('a migration has parameters');
    await executeScript(sql);
    return 0;
  };
  return { ...adapterOf(database), executeRaw, executeScript };
}

/** The adapter's own way to a shadow database goes astray when the URL names a database, which it always does. */
async function connectPostgresShadow(url) {
  const name = `runfeed_shadow_${randomUUID().replaceAll('-', '')}`;
  const shadowUrl = new URL(url);
  shadowUrl.pathname = `/${name}`;
  await execute(url, `CREATE DATABASE ${name}`);
  const adapter = await connectPostgres(shadowUrl.href);
  const dispose = adapter.dispose.bind(adapter);
  adapter.dispose = async () => {
    await dispose();
    await execute(url, `DROP DATABASE ${name} WITH (FORCE)`);
  };
  return adapter;
}

async function execute(url, sql) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

function adapters(url) {
  return url.startsWith('file:')
    ? {
        provider: 'sqlite',
        adapterName: 'runfeed-sqlite',
        connect: () => connectSqlite(url),
        connectToShadowDb: () => connectSqlite(':memory:'),
      }
    : {
        provider: 'postgres',
        adapterName: '@prisma/adapter-pg',
        connect: () => connectPostgres(url),
        connectToShadowDb: () => connectPostgresShadow(url),
      };
}

/** Starts an engine on a database: `file:PATH`, or a Postgres URL whose user may create databases. */
export async function startSchemaEngine(url) {
  loading ??= loadWasm();
  await loading;
  const factory = bindMigrationAwareSqlAdapterFactory(adapters(url));
  return bindings.SchemaEngine.new({ datamodels: undefined }, () => {}, factory);
}

/** The text of a dialect's schema. */
export function readSchema(dialect) {
  return readFileSync(SCHEMAS[dialect], 'utf8');
}

/** A dialect's history in the engine's own terms. */
export function readHistory(dialect) {
  const folder = new URL('./migrations/', SCHEMAS[dialect]);
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return {
    baseDir: fileURLToPath(folder),
    lockfile: {
      path: 'migration_lock.toml',
      content: readFileSync(new URL('migration_lock.toml', folder), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: names
      .map(({ name }) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok', value: readFileSync(new URL(`${name}/migration.sql`, folder), 'utf8') },
        },
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** The SQL that leads from the end of a history to a schema; empty when that is where it ends. */
export async function diffHistoryWithSchema(engine, history, schema) {
  const { exitCode, stdout } = await engine.diff({
    from: { tag: 'migrations', ...history },
    to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] },
    script: true,
    exitCode: true,
    filters: FILTERS,
  });
  return exitCode === 0 ? '' : (stdout ?? '');
}

/** What the engine would have to do to bring a database up to a history, and what it finds wrong with it. */
export function diagnoseHistory(engine, history) {
  return engine.diagnoseMigrationHistory({
    migrationsList: history,
    optInToShadowDatabase: true,
    filters: FILTERS,
  });
}
