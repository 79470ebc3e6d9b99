import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import { execute } from '../support/sql.ts';

/** A temporary, empty database. */
export interface ScratchDatabase {
  readonly url: string;
  /**
   * Counts the stored events of runs whose id starts with this prefix, in the database itself and not through
   * the server.
   */
  countEvents(runIdPrefix: string): Promise<number>;
  drop(): Promise<void>;
}

/** Creates a database: a SQLite file in a temporary folder, or one on the Postgres server of the URL. */
export async function makeScratchDatabase(postgresUrl: string | undefined): Promise<ScratchDatabase> {
  return postgresUrl === undefined ? makeSqlite() : makePostgres(postgresUrl);
}

const COUNT = 'SELECT count(*) AS events FROM event JOIN run ON run.key = event.run WHERE run.id LIKE';

async function makeSqlite(): Promise<ScratchDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-bench-'));
  const file = join(folder, 'bench.db');
  const drop = (): void => rmSync(folder, { recursive: true, force: true });
  // The files may take gigabytes, so they are removed even if the benchmark is interrupted.
  process.once('exit', drop);
  return {
    url: `file:${file}`,
    countEvents: async (prefix) => {
      const reader = new Database(file, { readonly: true });
      try {
        return reader.prepare<[string], { events: number }>(`${COUNT} ?`).get(`${prefix}%`)!.events;
      } finally {
        reader.close();
      }
    },
    drop: async () => {
      process.off('exit', drop);
      drop();
    },
  };
}

async function makePostgres(server: string): Promise<ScratchDatabase> {
  const name = `runfeed_bench_${randomUUID().replaceAll('-', '')}`;
  await execute(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    countEvents: async (prefix) => Number((await execute(url.href, `${COUNT} '${prefix}%'`))[0]!.events),
    drop: async () => void (await execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}
