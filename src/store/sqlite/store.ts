import { databaseFile } from '../../config/data-folder.ts';
import { PrismaClient } from '../../generated/sqlite/client.ts';
import { createReleasers, type Releasers } from '../../lib/releasers.ts';
import { asCatalog } from '../catalog.ts';
import { endsBeyond } from '../ended.ts';
import { asStoreFault } from '../faults.ts';
import { DATABASE_ID } from '../migrations.ts';
import { openDatabase, opening } from '../sqlite-file/open.ts';
import type { Page, PageReadLimits, Store, StoredEvent } from '../store.ts';
import { sqliteReason } from './faults.ts';
import { createJobReads } from './jobs.ts';
import { type ListReader, startListReader } from './list-reader.ts';
import { createNativeRunRead } from './native-runs.ts';
import { packAppends } from './packing.ts';
import { createReadingAdapter } from './prisma-adapter.ts';
import { type PageRow, prepareStatements } from './statements.ts';
import { startWriter, type Writer } from './writer.ts';

/**
 * Opens the embedded store at a `file:` URL. Writes run in a thread, on the only connection that writes.
 * Reads run in the calling thread on a read-only connection, each in one snapshot.
 */
export async function openSqliteStore(url: string): Promise<Store> {
  const file = databaseFile(url);
  const { path, database, close } = await opening(file, () => openDatabase(file));
  const releasers = createReleasers();
  releasers.add(close);
  const [writer, lists] = await startThreads(file, path, releasers);
  // Before the writer: SQLite moves what is only in the `-wal` into the file when the last connection closes, but
  // only if that connection may write.
  releasers.add(() => void database.close());
  const statements = prepareStatements(database);
  const id = database.prepare<[], string>(DATABASE_ID).pluck().get()!;
  const jobReads = createJobReads(database);
  const nativeReads = createNativeRunRead(database);
  // Read-only by construction: Prisma's connection can neither write nor hold a write lock across an await.
  const prisma = new PrismaClient({ adapter: createReadingAdapter(path) });
  releasers.add(() => prisma.$disconnect());
  const answer = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return work();
    } catch (error) {
      throw asStoreFault(error, sqliteReason);
    }
  };
  const begin = database.transaction((work: () => unknown) => work());
  /** For answers that take several statements: the writer thread may commit between two of them. */
  const answerInSnapshot = <Result>(work: () => Result) => answer(() => begin(work) as Result);
  return {
    dialect: 'sqlite',
    id,
    file: path,
    catalog: asCatalog(prisma, sqliteReason),
    lists: { runs: lists.runs, jobs: lists.jobs },
    createRun: async (run) => {
      const created = await writer.write('createRun', run);
      return answer(() => ({ created, run: statements.findRun.get(run.workspace, run.id)! }));
    },
    findRun: (workspace, id) => answer(() => statements.findRun.get(workspace, id) ?? null),
    readHeads: (runs) =>
      answer(() => {
        writer.requireFiles();
        const heads = runs.map((run) => [run, statements.readHead.get(run)] as const);
        return new Map(heads.flatMap(([run, head]) => (head ? [[run, head]] : [])));
      }),
    commit: async (appends) => new Set(await writer.write('commit', packAppends(appends))),
    readPage: (run, after, limits, direction = 'forward') =>
      answerInSnapshot(() => {
        const head = statements.readHead.get(run);
        if (!head) return null;
        const rows = (direction === 'forward' ? statements.readAfter : statements.readBefore).iterate(
          run,
          after,
          limits.maxEvents,
        );
        const page = takePage(rows, limits, {
          size: (seq) => statements.readSize.get(run, seq)!,
          data: (seq) => statements.readData.get(run, seq)!,
        });
        if (page.omitted || !endsBeyond(page.events, head, after, direction)) return { head, ...page };
        const setAside = takePage(statements.readTerminalPage.iterate(run), limits, {
          size: () => statements.readTerminalSize.get(run)!,
          data: () => statements.readTerminal.get(run)!.data,
        });
        return { head, ...setAside };
      }),
    readProduced: (run, numbers, serverEvents) =>
      answerInSnapshot(() => {
        const found = numbers.flatMap(
          ({ sourceSeq: n, maxDataBytes }) =>
            statements.findProduced.get(maxDataBytes, run, n, n + serverEvents, n) ?? [],
        );
        if (found.length === numbers.length) return found;
        const aside = statements.findTerminal.get(0, run);
        const asked = aside && numbers.find(({ sourceSeq }) => sourceSeq === aside.sourceSeq);
        return asked ? [...found, statements.findTerminal.get(asked.maxDataBytes, run)!] : found;
      }),
    // The database has no clock of its own: it is used by one process on one machine.
    readClock: async () => Date.now(),
    readEnded: (after, before, limit) =>
      answer(() =>
        statements.readEnded
          .all(after.endedAt, after.key, before, limit)
          .map((row) => ({ ...row, removed: row.removed === 1 })),
      ),
    markRemoved: (run) => writer.write('markRemoved', run),
    deleteRemoved: (run, after, limits) => writer.write('deleteRemoved', run, after, limits),
    setTerminalAside: (run) => writer.write('setTerminalAside', run),
    jobs: {
      create: (job) => writer.write('createJob', job),
      read: (runs) => answer(() => jobReads.read(runs)),
      save: (run, version, state) => writer.write('saveJob', run, version, state),
      saveClaim: (run, version, state) => writer.write('saveClaim', run, version, state),
      lease: async (request) => {
        const runs = await writer.write('leaseJobs', request);
        return answer(() => [...jobReads.read(runs).values()]);
      },
      renew: (owner, runs, leaseMs) => writer.write('renewLeases', owner, runs, leaseMs),
      giveBack: (owner, jobs) => writer.write('giveBackJobs', owner, jobs),
      nextDue: (request) => answer(() => jobReads.nextDue(request)),
      recall: (leaseMs) => writer.write('recallJobs', leaseMs),
    },
    nativeRuns: {
      create: (run, lease) => writer.write('createNativeRun', run, lease),
      read: (run) => answer(() => nativeReads.read(run)),
      takeOver: async (lease, own) => {
        const run = await writer.write('takeNativeRun', lease, own);
        return run === null ? null : answer(() => nativeReads.read(run));
      },
      now: () => answer(nativeReads.now),
      recall: (leaseMs) => writer.write('recallNativeRuns', leaseMs),
      renew: async (lease, runs) => new Set(await writer.write('renewNativeRuns', lease, runs)),
      giveBack: (owner, run) => writer.write('giveNativeRunBack', owner, run),
      settle: (run) => writer.write('settleNativeRun', run),
    },
    ping: () => writer.write('ping'),
    close: () => releasers.release(),
  };
}

/** Starts both threads at once. If one cannot start, everything is released and its error is thrown. */
async function startThreads(file: string, path: string, releasers: Releasers): Promise<[Writer, ListReader]> {
  const starting = [
    opening(file, () => startWriter(file, path)),
    opening(file, () => startListReader(path)),
  ] as const;
  // The writer closes last, see above.
  for (const started of await Promise.allSettled(starting)) {
    if (started.status === 'fulfilled') releasers.add(() => started.value.close());
  }
  try {
    return await Promise.all(starting);
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

/** Reads the large data that a page's rows omit, by the event's `seq`. */
interface LargeData {
  size(seq: number): number;
  data(seq: number): string;
}

function takePage(
  rows: IterableIterator<PageRow>,
  { maxBytes, strict }: PageReadLimits,
  large: LargeData,
): Omit<Page, 'head'> {
  const events: StoredEvent[] = [];
  let bytes = 0;
  for (const row of rows) {
    const { seq, kind, data } = row;
    const size = data === null ? large.size(seq) : Buffer.byteLength(data);
    if (strict && bytes + size > maxBytes) return { events, omitted: { seq, kind, bytes: size } };
    events.push(isWhole(row) ? row : { ...row, data: large.data(seq) });
    bytes += size;
    if (!strict && bytes >= maxBytes) break;
  }
  return { events };
}

function isWhole(row: PageRow): row is StoredEvent {
  return row.data !== null;
}
