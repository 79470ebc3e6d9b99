import { type NativeRunStatementName, nativeRunStatement } from '../native-run-statements.ts';
import type { NativeLease, NativeRunRecord, NewNativeRun } from '../native-runs.ts';
import type { Database, Statement } from '../sqlite-file/driver.ts';
import { SQLITE_DIALECT } from './jobs.ts';

/** The writes to followed runs, each in one transaction. They run in the writer thread. */
export interface NativeRunWrites {
  createNativeRun(run: NewNativeRun, lease: NativeLease): boolean;
  takeNativeRun(lease: NativeLease, own: readonly number[]): number | null;
  recallNativeRuns(leaseMs: number): void;
  renewNativeRuns(lease: NativeLease, runs: readonly number[]): number[];
  giveNativeRunBack(owner: string, run: number): void;
  settleNativeRun(run: number): void;
}

type Parameters = Readonly<Record<string, string | number | null>>;

function prepare<Row = unknown>(
  database: Database,
  name: NativeRunStatementName,
): Statement<[Parameters], Row> {
  return database.prepare<[Parameters], Row>(nativeRunStatement(name, SQLITE_DIALECT));
}

/** Prepares the writes to followed runs on an open, migrated database. */
export function createNativeRunWrites(database: Database): NativeRunWrites {
  const insert = prepare(database, 'insertNativeRun');
  const fenceEmpty = prepare(database, 'fenceEmptyLog');
  const fence = prepare(database, 'fenceLog');
  const take = prepare<{ run: number }>(database, 'takeNativeRun');
  const recall = prepare(database, 'recallNativeRuns');
  const renew = prepare<{ run: number }>(database, 'renewNativeRuns');
  const giveBack = prepare(database, 'giveNativeRunBack');
  const settle = prepare(database, 'settleNativeRun');
  return {
    createNativeRun: database.transaction((run: NewNativeRun, { owner, leaseMs }: NativeLease) => {
      const isFree = fenceEmpty.run({ run: run.run, owner }).changes === 1;
      if (isFree) insert.run({ ...run, owner, leaseMs });
      return isFree;
    }),
    takeNativeRun: database.transaction(({ owner, leaseMs }: NativeLease, own: readonly number[]) => {
      const run = take.get({ owner, leaseMs, runs: JSON.stringify(own) })?.run ?? null;
      if (run !== null) fence.run({ run, owner });
      return run;
    }),
    recallNativeRuns: (leaseMs) => {
      recall.run({ leaseMs });
    },
    renewNativeRuns: ({ owner, leaseMs }, runs) =>
      renew.all({ owner, leaseMs, runs: JSON.stringify(runs) }).map(({ run }) => run),
    giveNativeRunBack: (owner, run) => {
      giveBack.run({ owner, run });
    },
    settleNativeRun: (run) => {
      settle.run({ run });
    },
  };
}

/** Prepares the reads of followed runs, and of the database's time, on a read-only connection. */
export function createNativeRunRead(database: Database): {
  readonly read: (run: number) => NativeRunRecord | null;
  readonly now: () => number;
} {
  const read = prepare<NativeRunRecord>(database, 'readNativeRun');
  const now = prepare<{ now: number }>(database, 'readNow');
  return {
    read: (run) => read.get({ run }) ?? null,
    now: () => now.get({})!.now,
  };
}
