import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import Database from 'better-sqlite3';
import { PrismaClient } from '../../generated/sqlite/client.ts';
import { asCatalog } from '../catalog.ts';
import { type Append, type PageLimits, type Store, type StoredEvent, StoreUnavailable } from '../store.ts';
import { databaseFile, openDatabase } from './open.ts';
import { prepareStatements, type Statements } from './statements.ts';

/**
 * The embedded store. better-sqlite3 is synchronous: a commit happens whole in one turn of the loop, so on this
 * connection nothing ever interleaves with it, and two reads in one turn see one snapshot.
 */
export async function openSqliteStore(url: string): Promise<Store> {
  const file = databaseFile(url);
  const { database, close } = openDatabase(file);
  const statements = prepareStatements(database);
  // Read-only by construction: Prisma's own connection can neither write nor hold a write lock over an await.
  const prisma = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: file, readonly: true }) });
  const commitAll = database.transaction((appends: readonly Append[]) => commitAppends(statements, appends));
  const answer = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return work();
    } catch (error) {
      throw retryable(error) ? new StoreUnavailable(String(error), { cause: error }) : error;
    }
  };
  return {
    dialect: 'sqlite',
    catalog: asCatalog(prisma),
    createRun: (run) =>
      answer(() => {
        const { changes } = statements.insertRun.run(run);
        return { created: changes > 0, run: statements.findRun.get(run.workspace, run.id)! };
      }),
    findRun: (workspace, id) => answer(() => statements.findRun.get(workspace, id) ?? null),
    readHeads: (runs) =>
      answer(() => {
        const heads = runs.map((run) => [run, statements.readHead.get(run)] as const);
        return new Map(heads.flatMap(([run, head]) => (head ? [[run, head]] : [])));
      }),
    commit: (appends) => answer(() => commitAll.immediate(appends)),
    readPage: (run, after, limits, direction = 'forward') =>
      answer(() => {
        const head = statements.readHead.get(run);
        if (!head) return null;
        const rows = (direction === 'forward' ? statements.readAfter : statements.readBefore).iterate(
          run,
          after,
          limits.maxEvents,
        );
        return { head, events: takePage(rows, limits) };
      }),
    readProduced: (run, sourceSeqs, serverEvents) =>
      answer(() => sourceSeqs.flatMap((n) => statements.findProduced.get(run, n, n + serverEvents, n) ?? [])),
    ping: () => answer(() => void statements.ping.get()),
    close: async () => {
      await prisma.$disconnect();
      close();
    },
  };
}

function commitAppends(statements: Statements, appends: readonly Append[]): ReadonlySet<number> {
  const stored = new Set<number>();
  for (const { run, expectedLastSeq, events, head, startedAt, endedAt } of appends) {
    const moved = statements.moveHead.run({ ...head, run, expectedLastSeq, startedAt, endedAt });
    if (moved.changes === 0) continue;
    for (const event of events) {
      statements.insertEvent.run(
        run,
        event.seq,
        event.sourceSeq,
        event.tMs,
        event.kind,
        event.data,
        event.committedAt,
      );
    }
    stored.add(run);
  }
  return stored;
}

function takePage(rows: IterableIterator<StoredEvent>, { maxBytes }: PageLimits): StoredEvent[] {
  const events: StoredEvent[] = [];
  let bytes = 0;
  for (const event of rows) {
    events.push(event);
    bytes += Buffer.byteLength(event.data);
    if (bytes >= maxBytes) break;
  }
  return events;
}

/** A full disk, a lock or a failing device may pass; anything else is a fault of the statement. */
function retryable(error: unknown): boolean {
  return error instanceof Database.SqliteError && /^SQLITE_(BUSY|FULL|IOERR|LOCKED|NOMEM)/.test(error.code);
}
