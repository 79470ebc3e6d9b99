import { readMigrations } from '../../src/store/migrations.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import { eventAt } from './batches.ts';

// The minimum cost of storing these events: no network, no JSON, no checks, and contents that are text
// beforehand. Each turn writes one batch of every writer and updates every run's head, all in one durable
// commit.

/** A request of the benchmark. */
export interface BareSqlOrder {
  readonly batchSize: number;
  readonly writers: number;
  readonly ms: number;
}

const database = new Database(process.env.DATABASE_URL!.slice('file:'.length));
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
for (const { sql } of readMigrations('sqlite')) database.exec(sql);

const insertRun = database.prepare(
  `INSERT INTO run (workspace, id, provider, runtime, labels, created_at) VALUES ('w', ?, 'anthropic', 'managed', '{}', 0)`,
);
const moveHead = database.prepare(
  'UPDATE run SET last_seq = @seq, last_source_seq = @seq, last_t_ms = @tMs, event_count = @seq + 1 WHERE key = @run',
);
const insertEvent = database.prepare(
  'INSERT INTO event (run, seq, source_seq, t_ms, kind, data, committed_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
);
const count = database.prepare<[], { events: number }>('SELECT sum(event_count) AS events FROM run');

/** Enough contents, used repeatedly, that preparing them is not part of the measurement. */
const contents = Array.from({ length: 4_096 }, (_, seq) => {
  const { kind, data } = eventAt(seq);
  return { kind, data: JSON.stringify(data) };
});
let made = 0;

const turn = database.transaction((runs: readonly number[], first: number, batchSize: number) => {
  const committedAt = Date.now();
  const last = first + batchSize - 1;
  for (const run of runs) {
    moveHead.run({ run, seq: last, tMs: last });
    for (let seq = first; seq <= last; seq += 1) {
      const { kind, data } = contents[seq % contents.length]!;
      insertEvent.run(run, seq, seq, seq, kind, data, committedAt);
    }
  }
});

function round({ batchSize, writers, ms }: BareSqlOrder): number {
  const runs = Array.from({ length: writers }, () => {
    made += 1;
    return Number(insertRun.run(`r${made}`).lastInsertRowid);
  });
  const before = count.get()!.events;
  const startedAt = performance.now();
  let first = 0;
  for (; performance.now() - startedAt < ms; first += batchSize) turn.immediate(runs, first, batchSize);
  const elapsedMs = performance.now() - startedAt;
  return ((count.get()!.events - before) / elapsedMs) * 1_000;
}

process.on('message', (order: BareSqlOrder) => process.send!(round(order)));
process.on('SIGTERM', () => process.exit());
process.send!('ready');
