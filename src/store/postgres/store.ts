import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../generated/postgres/client.ts';
import { asCatalog } from '../catalog.ts';
import { endsBeyond } from '../ended.ts';
import { asStoreFault } from '../faults.ts';
import type { EndedRun, FoundEvent, Head, Page, RunRecord, Store, StoredEvent } from '../store.ts';
import { StoreUnavailable } from '../unavailable.ts';
import { commitParameters, numberArray } from './arrays.ts';
import { postgresReason } from './faults.ts';
import { createPostgresJobs } from './jobs.ts';
import { createPostgresLists } from './lists.ts';
import { createLockLanes, type LockedRow, type LockLanesOptions, type OnRow } from './lock-lanes.ts';
import { migratePostgres } from './migrate.ts';
import { createPostgresNativeRuns } from './native-runs.ts';
import { STATEMENTS, type StatementName } from './statements.ts';

const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A query fails after this, because a server that was cut off silently never answers. */
const QUERY_TIMEOUT_MS = 30_000;
/** A statement that waits longer for one lock fails. Our own transactions hold a row for one commit. */
const LOCK_TIMEOUT_MS = 1_000;
/**
 * While others hold rows, statements that may wait for them use at most half of the connections. The rest is
 * for reads and for commits of events, which skip such rows.
 */
const LOCK_LANES: LockLanesOptions = {
  lanes: POOL_SIZE,
  lanesWhileHeld: POOL_SIZE / 2,
  heldMs: 10_000,
  maxWaiting: 10_000,
  maxWaitingPerRow: 100,
  waitMs: CONNECT_TIMEOUT_MS,
};
/**
 * What the store relies on, whatever the settings of the cluster, the database or the URL: acknowledged
 * commits are durable, a statement sees everything that was committed before it began, and none occupies a
 * connection for long because others hold what it needs.
 */
const SESSION_SETTINGS = `-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c lock_timeout=${LOCK_TIMEOUT_MS}`;

/** Reads int8 as a number: the contract keeps every number below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

/** An event of a page. `data` is null if it exceeds the limit of a strict page. */
type EventRow = Omit<StoredEvent, 'data'> & { readonly data: string | null; readonly bytes: number };
type PageRow = Head & (EventRow | { readonly seq: null });

/**
 * Opens the store for many processes. One pool of 10 connections serves the prepared statements and Prisma.
 * `onPoolError` is called when an idle connection breaks.
 */
export async function openPostgresStore(
  url: string,
  onPoolError: (error: Error) => void = () => {},
): Promise<Store> {
  const pool = new pg.Pool({
    connectionString: withSessionSettings(url),
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'runfeed',
  });
  // The pool reports a broken idle connection here and replaces it. Without a listener the process would
  // crash.
  pool.on('error', onPoolError);
  const underWay = new Set<Promise<unknown>>();
  const track = async <Answer>(work: Promise<Answer>): Promise<Answer> => {
    underWay.add(work);
    try {
      return await work;
    } catch (error) {
      throw asStoreFault(error, postgresReason);
    } finally {
      underWay.delete(work);
    }
  };
  const lanes = createLockLanes(LOCK_LANES);
  const onRow: OnRow = (row, work) => track(lanes(row, work));
  const ask = <Row extends object>(name: StatementName, values: readonly unknown[]) =>
    pool.query<Row>({ name, text: STATEMENTS[name], values: [...values], types });
  const query = async <Row extends object>(name: StatementName, values: readonly unknown[]): Promise<Row[]> =>
    (await track(ask<Row>(name, values))).rows;
  /** For statements that may wait for the lock of this row. */
  const write = async <Row extends object>(
    row: LockedRow,
    name: StatementName,
    values: readonly unknown[],
  ): Promise<Row[]> => (await onRow(row, () => ask<Row>(name, values))).rows;
  let id: string;
  try {
    id = await migratePostgres(pool);
  } catch (error) {
    await pool.end();
    throw asStoreFault(error, postgresReason);
  }
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    dialect: 'postgres',
    id,
    file: null,
    catalog: asCatalog(prisma, postgresReason),
    lists: createPostgresLists(pool, track),
    jobs: createPostgresJobs(pool, types, track, onRow),
    nativeRuns: createPostgresNativeRuns(pool, types, track, onRow),
    createRun: async (run) => {
      const values = [run.workspace, run.id, run.provider, run.runtime, run.title, run.labels, run.createdAt];
      // Two statements: a single one that inserts and selects would not see a row that a rival has just
      // inserted.
      const before = await query<RunRecord>('findRun', [run.workspace, run.id]);
      if (before[0]) return { created: false, run: before[0] };
      // Waits for a rival that inserts the same id and has not committed yet.
      const row = JSON.stringify([run.workspace, run.id]);
      const inserted = await write<{ key: number }>(row, 'insertRun', values);
      const [stored] = await query<RunRecord>('findRun', [run.workspace, run.id]);
      if (!stored) throw new Error(`run ${run.id} was inserted but cannot be found`);
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
        limits.strict ? 1 : 0,
      ]);
      const first = rows[0];
      if (!first) return null;
      const head = headOf(first);
      const page = pageOf(rows.flatMap((row) => (row.seq === null ? [] : [row])));
      if (page.omitted || !endsBeyond(page.events, head, after, direction)) return { head, ...page };
      // Read after the page: a terminal event that was moved meanwhile is either in the page or found now.
      const values = [run, limits.maxBytes, limits.strict ? 1 : 0];
      return { head, ...pageOf(await query<EventRow>('readTerminal', values)) };
    },
    readProduced: (run, numbers, serverEvents) => {
      const sourceSeqs = numberArray(numbers.map(({ sourceSeq }) => sourceSeq));
      const maxDataBytes = numberArray(numbers.map(({ maxDataBytes }) => maxDataBytes));
      return query<FoundEvent>('readProduced', [run, sourceSeqs, maxDataBytes, serverEvents]);
    },
    readClock: async () => (await query<{ now: number }>('readClock', []))[0]!.now,
    readEnded: (after, before, limit) =>
      query<EndedRun>('readEnded', [after.endedAt, after.key, before, limit]),
    markRemoved: async (run) => void (await write(run, 'markRemoved', [run])),
    deleteRemoved: async (run, after, { maxEvents, maxBytes }) => {
      const values = [run, after, maxEvents, maxBytes];
      const [step] = await write<{ through: number | null }>(run, 'deleteRemoved', values);
      return step?.through ?? null;
    },
    setTerminalAside: async (run) => void (await write(run, 'setTerminalAside', [run])),
    ping: async () => {
      const [answer] = await query<{ readOnly: boolean }>('ping', []);
      if (answer?.readOnly)
        throw new StoreUnavailable('the database is read-only: use the primary server, or make it writable');
    },
    close: async () => {
      // Ending the pool would abandon calls that still wait for a connection.
      await Promise.allSettled(underWay);
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/**
 * Appends our settings to the URL's `options`, which would otherwise replace ours in the driver. The last
 * value of a setting counts.
 */
function withSessionSettings(url: string): string {
  const [, search = ''] = url.split('?', 2);
  const given = new URLSearchParams(search).get('options') ?? '';
  const options = encodeURIComponent(`${given} ${SESSION_SETTINGS}`.trim());
  return `${url}${url.includes('?') ? '&' : '?'}options=${options}`;
}

function headOf(row: Head): Head {
  const { lastSeq, lastSourceSeq, lastTMs, eventCount, serverEvents, dataBytes } = row;
  const { terminalSeq, removedThrough, fence } = row;
  return {
    lastSeq,
    lastSourceSeq,
    lastTMs,
    eventCount,
    serverEvents,
    dataBytes,
    terminalSeq,
    removedThrough,
    fence,
  };
}

function pageOf(rows: readonly EventRow[]): Omit<Page, 'head'> {
  const events: StoredEvent[] = [];
  for (const { seq, sourceSeq, tMs, kind, data, committedAt, bytes } of rows) {
    if (data === null) return { events, omitted: { seq, kind, bytes } };
    events.push({ seq, sourceSeq, tMs, kind, data, committedAt });
  }
  return { events };
}
