import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../generated/postgres/client.ts';
import { asCatalog } from '../catalog.ts';
import { type Head, type RunRecord, type Store, type StoredEvent, StoreUnavailable } from '../store.ts';
import { commitParameters, numberArray } from './arrays.ts';
import { migratePostgres } from './migrate.ts';
import { STATEMENTS, type StatementName } from './statements.ts';
import { isUnavailable } from './unavailable.ts';

const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A server that was cut off without a word is given up on after this. */
const QUERY_TIMEOUT_MS = 30_000;

/** int8 as a number: the contract keeps every number of ours below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

type PageRow = Head & (StoredEvent | { readonly seq: null });

/** The store for many processes: one pool, shared by the prepared statements here and by Prisma's model API. */
export async function openPostgresStore(
  url: string,
  onPoolError: (error: Error) => void = () => {},
): Promise<Store> {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    // An acknowledged batch is durable whatever the cluster's default says.
    options: '-c synchronous_commit=on',
    application_name: 'runfeed',
  });
  // An idle connection that breaks is reported here and replaced; without a listener it would end the process.
  pool.on('error', onPoolError);
  const query = async <Row extends object>(name: StatementName, values: readonly unknown[]): Promise<Row[]> => {
    try {
      const result = await pool.query<Row>({ name, text: STATEMENTS[name], values: [...values], types });
      return result.rows;
    } catch (error) {
      throw isUnavailable(error) ? new StoreUnavailable(String(error), { cause: error }) : error;
    }
  };
  try {
    await migratePostgres(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    dialect: 'postgres',
    catalog: asCatalog(prisma),
    createRun: async (run) => {
      const values = [run.workspace, run.id, run.provider, run.runtime, run.title, run.labels, run.createdAt];
      // Two statements: one that inserts and selects would not see a row that a rival inserted meanwhile.
      const before = await query<RunRecord>('findRun', [run.workspace, run.id]);
      if (before[0]) return { created: false, run: before[0] };
      const inserted = await query<{ key: number }>('insertRun', values);
      const [stored] = await query<RunRecord>('findRun', [run.workspace, run.id]);
      if (!stored) throw new Error(`run ${run.id} was inserted and is not there`);
      return { created: inserted.length > 0, run: stored };
    },
    findRun: async (workspace, id) => (await query<RunRecord>('findRun', [workspace, id]))[0] ?? null,
    readHeads: async (runs) => {
      const rows = await query<Head & { key: number }>('readHeads', [numberArray(runs)]);
      return new Map(rows.map(({ key, ...head }) => [key, head]));
    },
    commit: async (appends) => {
      const rows = await query<{ key: number }>('commit', commitParameters(appends));
      return new Set(rows.map(({ key }) => key));
    },
    readPage: async (run, after, limits, direction = 'forward') => {
      const rows = await query<PageRow>(direction === 'forward' ? 'readAfter' : 'readBefore', [
        run,
        after,
        limits.maxEvents,
        limits.maxBytes,
      ]);
      const first = rows[0];
      if (!first) return null;
      return { head: headOf(first), events: rows.flatMap((row) => (row.seq === null ? [] : [eventOf(row)])) };
    },
    readProduced: (run, sourceSeqs, serverEvents) =>
      query<StoredEvent>('readProduced', [run, numberArray(sourceSeqs), serverEvents]),
    ping: async () => void (await query('ping', [])),
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

function headOf(row: Head): Head {
  const { lastSeq, lastSourceSeq, lastTMs, eventCount, serverEvents, terminalSeq, removedThrough } = row;
  return { lastSeq, lastSourceSeq, lastTMs, eventCount, serverEvents, terminalSeq, removedThrough };
}

function eventOf({ seq, sourceSeq, tMs, kind, data, committedAt }: StoredEvent): StoredEvent {
  return { seq, sourceSeq, tMs, kind, data, committedAt };
}
