import { expect, test } from 'vitest';
import {
  diagnoseHistory,
  diffHistoryWithSchema,
  readHistory,
  readSchema,
  startSchemaEngine,
} from '../../prisma/schema-engine.mjs';
import { RUNNER_EVENT_KINDS } from '../../src/contract/events.ts';
import { PROVIDER_RUNTIME_JOB_STATUSES, RUN_PROVIDERS, RUN_RUNTIMES } from '../../src/contract/jobs.ts';
import { JOB_WISHES } from '../../src/store/jobs.ts';
import { readMigrations } from '../../src/store/migrations.ts';
import { NATIVE_SOURCES } from '../../src/store/native-runs.ts';
import { openStore } from '../../src/store/open.ts';
import { readChecks, readTableOptions } from '../support/catalogs.ts';
import { describeStores } from '../support/databases.ts';
import { executeScript } from '../support/sql.ts';

const LISTS = [
  { name: 'event_kind_check', column: 'kind', values: RUNNER_EVENT_KINDS, chained: true },
  { name: 'job_status_check', column: 'status', values: PROVIDER_RUNTIME_JOB_STATUSES, chained: false },
  { name: 'job_wish_check', column: 'wish', values: JOB_WISHES, chained: false },
  { name: 'native_run_source_check', column: 'source', values: NATIVE_SOURCES, chained: false },
  { name: 'run_provider_check', column: 'provider', values: RUN_PROVIDERS, chained: false },
  { name: 'run_runtime_check', column: 'runtime', values: RUN_RUNTIMES, chained: false },
] as const;

/** The CHECK constraints that follow from the code's lists, as each database prints them. */
const EXPECTED_CHECKS = {
  postgres: LISTS.map(({ name, column, values }) => {
    const list = values.map((value) => `'${value}'::text`).join(', ');
    return { name, definition: `CHECK ((${column} = ANY (ARRAY[${list}])))` };
  }),
  sqlite: LISTS.map(({ name, column, values, chained }) => {
    const list = `"${column}" IN (${values.map((value) => `'${value}'`).join(', ')})`;
    const chain = values.map((value) => `"${column}" = '${value}'`).join(' OR ');
    return { name, definition: `CHECK (${chained ? chain : list})` };
  }),
};

const EXPECTED_OPTIONS = {
  postgres: [
    { table: 'event', options: 'autovacuum_vacuum_scale_factor=0.02' },
    { table: 'job', options: 'fillfactor=50' },
    { table: 'native_run', options: 'fillfactor=70' },
    { table: 'run', options: 'fillfactor=70' },
    { table: 'terminal', options: '' },
  ],
  sqlite: [
    { table: 'event', options: '' },
    { table: 'job', options: '' },
    { table: 'native_run', options: '' },
    { table: 'run', options: '' },
    { table: 'terminal', options: '' },
  ],
};

describeStores('the migrations', ({ dialect, freshUrl }) => {
  const migratedUrl = async (): Promise<string> => {
    const url = await freshUrl();
    await (await openStore(url)).close();
    return url;
  };
  /** Returns the history with one word replaced. */
  const tampered = (word: string | RegExp, by: string) => {
    const history = structuredClone(readHistory(dialect));
    for (const { migrationFile } of history.migrationDirectories) {
      if (migrationFile.content.tag === 'ok') {
        migrationFile.content.value = migrationFile.content.value.replace(word, by);
      }
    }
    expect(history).not.toEqual(readHistory(dialect));
    return history;
  };
  /** Creates a database with that history and returns its URL. */
  const tamperedUrl = async (word: string | RegExp, by: string): Promise<string> => {
    const url = await freshUrl();
    for (const { migrationFile } of tampered(word, by).migrationDirectories) {
      if (migrationFile.content.tag === 'ok') await executeScript(url, migrationFile.content.value);
    }
    return url;
  };

  test('lead to exactly the schema', async () => {
    const engine = await startSchemaEngine(await freshUrl());
    expect(await diffHistoryWithSchema(engine, readHistory(dialect), readSchema(dialect))).toBe('');
  });

  test.each([
    ['a column is missing', '"title" TEXT,', '', /ADD COLUMN\s+"title"/],
    ['a column has another type', /"t_ms" BIGINT NOT NULL/, '"t_ms" TEXT NOT NULL', /"t_ms"/],
    ['a column may be null', /"kind" TEXT NOT NULL/, '"kind" TEXT', /kind/],
    ['a default differs', /DEFAULT -1/, 'DEFAULT 0', /DEFAULT -1/],
    ['an index is missing', /CREATE INDEX .*/, '', /CREATE INDEX "run_workspace_key_idx"/],
    ['an index is not unique', 'CREATE UNIQUE INDEX', 'CREATE INDEX', /CREATE UNIQUE INDEX/],
    [
      'there is an extra table',
      'CREATE UNIQUE INDEX',
      'CREATE TABLE "extra" (id INTEGER PRIMARY KEY); CREATE UNIQUE INDEX',
      /DROP TABLE "extra"/,
    ],
  ])('are found to have drifted when %s', async (_, word, by, mended) => {
    const engine = await startSchemaEngine(await freshUrl());
    expect(await diffHistoryWithSchema(engine, tampered(word, by), readSchema(dialect))).toMatch(mended);
  });

  test("create the checks that follow from the code's lists", async () => {
    expect(await readChecks(await migratedUrl())).toEqual(EXPECTED_CHECKS[dialect]);
  });

  test.each([
    ['a different value', /'mistral'/, `'mistrel'`],
    ['an extra value', /'managed'/, `'managed', 'other'`],
    ['a check missing', /,\s+CONSTRAINT "event_kind_check".*/, ''],
    ['a different column', /CHECK \("kind"/, 'CHECK ("kind" IS NULL OR "kind"'],
  ])('are found to have drifted when the checks have %s', async (_, word, by) => {
    expect(await readChecks(await tamperedUrl(word, by))).not.toEqual(EXPECTED_CHECKS[dialect]);
  });

  test('create tables with the expected options', async () => {
    expect(await readTableOptions(await migratedUrl())).toEqual(EXPECTED_OPTIONS[dialect]);
  });

  test('are found to have drifted when a table has different options', async () => {
    const url = await freshUrl();
    const other = dialect === 'postgres' ? 'WITH (fillfactor = 90)' : 'STRICT, WITHOUT ROWID';
    await executeScript(
      url,
      `CREATE TABLE event (id TEXT PRIMARY KEY) ${other}; CREATE TABLE run (id TEXT) `,
    );
    const options = other.replace(/WITH \(fillfactor = 90\)/, 'fillfactor=90');
    expect(await readTableOptions(url)).toEqual([
      { table: 'event', options },
      { table: 'run', options: '' },
    ]);
  });

  test("leave nothing for Prisma's own tool to apply after the store was opened", async () => {
    const engine = await startSchemaEngine(await migratedUrl());
    expect(await diagnoseHistory(engine, readHistory(dialect))).toEqual({
      editedMigrationNames: [],
      failedMigrationNames: [],
      hasMigrationsTable: true,
      history: null,
    });
  });

  test("have the names and checksums that Prisma's own tool computes", async () => {
    const engine = await startSchemaEngine(await migratedUrl());
    const edited = await diagnoseHistory(engine, tampered('-- CreateTable', '-- CREATE TABLE'));
    expect(edited.editedMigrationNames).toContain(readMigrations(dialect)[0]?.name);
    const longer = structuredClone(readHistory(dialect));
    const migrationFile = { path: 'migration.sql', content: { tag: 'ok', value: '-- Nothing.\n' } } as const;
    longer.migrationDirectories.push({ path: '99991231000000_next', migrationFile });
    expect((await diagnoseHistory(engine, longer)).history).toEqual({
      diagnostic: 'databaseIsBehind',
      unappliedMigrationNames: ['99991231000000_next'],
    });
  });
});
