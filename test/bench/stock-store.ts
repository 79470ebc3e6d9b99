import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient as PostgresClient } from '../../src/generated/postgres/client.ts';
import { PrismaClient } from '../../src/generated/sqlite/client.ts';
import { readMigrations } from '../../src/store/migrations.ts';
import { executeScript } from '../support/sql.ts';
import { stockSqliteAdapter } from './stock-sqlite.mjs';

/** An event as it is sent. */
export interface StockEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: string;
  readonly data: Record<string, string>;
}

/** Stores runs as in Prisma's guide, in the same tables and as durably as the server under test. */
export interface StockStore {
  createRun(id: string, provider: string, runtime: string): Promise<void>;
  /** Resolves when the batch is committed. */
  append(runId: string, events: readonly StockEvent[]): Promise<void>;
}

const WORKSPACE = 'default';
/** Batches of many writers queue for the only connection, and none may time out. */
const PATIENCE = { maxWait: 120_000, timeout: 120_000 };

/** Creates the tables in an empty database and opens it. */
export async function openStockStore(databaseUrl: string): Promise<StockStore> {
  const prisma = databaseUrl.startsWith('file:')
    ? await openSqlite(databaseUrl)
    : await openPostgres(databaseUrl);
  return {
    createRun: async (id, provider, runtime) => {
      const createdAt = BigInt(Date.now());
      await prisma.run.create({
        data: { workspace: WORKSPACE, id, provider, runtime, labels: {}, createdAt },
      });
    },
    append: async (runId, events) => {
      const last = events.at(-1)!;
      await prisma.$transaction(async (tx) => {
        const { key } = await tx.run.update({
          where: { workspace_id: { workspace: WORKSPACE, id: runId } },
          data: {
            lastSeq: BigInt(last.seq),
            lastSourceSeq: BigInt(last.seq),
            lastTMs: BigInt(last.tMs),
            eventCount: { increment: events.length },
          },
        });
        const committedAt = BigInt(Date.now());
        await tx.event.createMany({
          data: events.map(({ seq, tMs, kind, data }) => ({
            run: key,
            seq: BigInt(seq),
            sourceSeq: BigInt(seq),
            tMs: BigInt(tMs),
            kind,
            data,
            committedAt,
          })),
        });
      }, PATIENCE);
    },
  };
}

async function openSqlite(url: string): Promise<PrismaClient> {
  await executeScript(url, script('sqlite'));
  const prisma = new PrismaClient({ adapter: stockSqliteAdapter(url) });
  await prisma.$queryRawUnsafe('PRAGMA journal_mode = WAL');
  await prisma.$executeRawUnsafe('PRAGMA synchronous = FULL');
  const [{ synchronous }] = await prisma.$queryRawUnsafe<[{ synchronous: bigint }]>('PRAGMA synchronous');
  if (Number(synchronous) !== 2) throw new Error('the stock store would not be durable');
  return prisma;
}

async function openPostgres(url: string): Promise<PrismaClient> {
  await executeScript(url, script('postgres'));
  // The two clients differ only in features that SQLite lacks, which are not used here.
  return new PostgresClient({ adapter: new PrismaPg({ connectionString: url }) }) as unknown as PrismaClient;
}

function script(dialect: 'sqlite' | 'postgres'): string {
  return readMigrations(dialect)
    .map(({ sql }) => sql)
    .join('\n');
}
