import type { Database } from '../sqlite-file/driver.ts';
import { requireRoom } from '../sqlite-file/files.ts';
import type { NewRun, PageLimits } from '../store.ts';
import { createJobWrites, type JobWrites } from './jobs.ts';
import { createNativeRunWrites, type NativeRunWrites } from './native-runs.ts';
import { type PackedAppends, readRows } from './packing.ts';
import { prepareStatements, ROWS_AT_ONCE, type Statements } from './statements.ts';

/** All writes to the database, each in one transaction. They run in the writer thread. */
export interface Writes extends JobWrites, NativeRunWrites {
  /** Returns true if the run is new. */
  createRun(run: NewRun): boolean;
  /** Returns the keys of the runs that were appended to. */
  commit(appends: PackedAppends): number[];
  markRemoved(run: number): void;
  deleteRemoved(run: number, after: number, limits: PageLimits): number | null;
  setTerminalAside(run: number): void;
  /** Writes an unchanged page durably. Throws `StoreUnavailable` if the disk has almost no space left. */
  ping(): void;
}

/** Prepares all writes on an open, migrated database in this file. */
export function createWrites(database: Database, file: string): Writes {
  const statements = prepareStatements(database);
  const commit = database.transaction((appends: PackedAppends) => commitAppends(statements, appends));
  const setAside = database.transaction((run: number) => {
    const { changes } = statements.copyTerminal.run(run);
    if (changes > 0) statements.deleteEvents.run(run, -1, Number.MAX_SAFE_INTEGER);
  });
  return {
    ...createJobWrites(database),
    ...createNativeRunWrites(database),
    createRun: (run) => statements.insertRun.run(run).changes > 0,
    commit: (appends) => commit.immediate(appends),
    markRemoved: (run) => {
      statements.markRemoved.run(run);
    },
    deleteRemoved: (run, after, limits) => deleteRemoved(statements, run, after, limits),
    setTerminalAside: (run) => setAside(run),
    ping: () => {
      const version = database.pragma('user_version', { simple: true });
      database.pragma(`user_version = ${version}`);
      requireRoom(file);
    },
  };
}

function commitAppends(statements: Statements, appends: PackedAppends): number[] {
  const stored: number[] = [];
  const rows = readRows(appends);
  for (const { run, expectedLastSeq, head, startedAt, endedAt, count } of appends.runs) {
    const moved = statements.moveHead.run({ ...head, run, expectedLastSeq, startedAt, endedAt });
    if (moved.changes === 0) {
      rows.skip(count);
      continue;
    }
    let left = count;
    // Passed as separate arguments: one array is a third slower.
    for (; left >= ROWS_AT_ONCE; left -= ROWS_AT_ONCE)
      statements.insertEvents.run(...rows.take(run, ROWS_AT_ONCE));
    for (; left > 0; left -= 1) statements.insertEvent.run(...rows.take(run, 1));
    stored.push(run);
  }
  return stored;
}

function deleteRemoved(
  statements: Statements,
  run: number,
  after: number,
  { maxEvents, maxBytes }: PageLimits,
): number | null {
  const covered = statements.readHead.get(run)?.removedThrough ?? -1;
  let through: number | null = null;
  let bytes = 0;
  for (const event of statements.readSizes.iterate(run, after, covered, maxEvents)) {
    through = event.seq;
    bytes += event.bytes;
    if (bytes >= maxBytes) break;
  }
  if (through !== null) statements.deleteEvents.run(run, after, through);
  return through;
}
