import type { Pool, QueryConfig, QueryResultRow } from 'pg';
import { type NativeRunStatementName, nativeRunStatement } from '../native-run-statements.ts';
import type { NativeRunRecord, NativeRunStore } from '../native-runs.ts';
import { numberArray } from './arrays.ts';
import {
  type Connection,
  inTransaction,
  type Numbered,
  numbered,
  type Parameters,
  POSTGRES_DIALECT,
} from './named.ts';

/** Creates the store of followed runs on Postgres. For `types` and `track` see `createPostgresJobs`. */
export function createPostgresNativeRuns(
  pool: Pool,
  types: NonNullable<QueryConfig['types']>,
  track: <Answer>(work: Promise<Answer>) => Promise<Answer>,
): NativeRunStore {
  const run = <Row extends QueryResultRow>(
    connection: Connection,
    name: NativeRunStatementName,
    parameters: Parameters,
  ) => {
    const { text, order } = STATEMENTS[name];
    return connection.query<Row>({ name, text, values: order.map((key) => parameters[key] ?? null), types });
  };
  const read = async (key: number): Promise<NativeRunRecord | null> => {
    const { rows } = await run<NativeRunRecord & QueryResultRow>(pool, 'readNativeRun', { run: key });
    return rows[0] ?? null;
  };

  return {
    create: (native, { owner, leaseMs }) =>
      track(
        inTransaction(pool, async (client) => {
          const { rowCount } = await run(client, 'fenceEmptyLog', { run: native.run, owner });
          if (rowCount !== 1) return false;
          await run(client, 'insertNativeRun', { ...native, owner, leaseMs });
          return true;
        }),
      ),
    read: (key) => track(read(key)),
    takeOver: async ({ owner, leaseMs }, own) => {
      const taken = await track(
        inTransaction(pool, async (client) => {
          const { rows } = await run<{ run: number }>(client, 'takeNativeRun', {
            owner,
            leaseMs,
            runs: numberArray(own),
          });
          const key = rows[0]?.run ?? null;
          if (key !== null) await run(client, 'fenceLog', { run: key, owner });
          return key;
        }),
      );
      return taken === null ? null : track(read(taken));
    },
    now: async () => {
      const { rows } = await track(run<{ now: number }>(pool, 'readNow', {}));
      return rows[0]!.now;
    },
    recall: async (leaseMs) => void (await track(run(pool, 'recallNativeRuns', { leaseMs }))),
    renew: async ({ owner, leaseMs }, runs) => {
      const parameters = { owner, leaseMs, runs: numberArray(runs) };
      const { rows } = await track(run<{ run: number }>(pool, 'renewNativeRuns', parameters));
      return new Set(rows.map((row) => row.run));
    },
    giveBack: async (owner, key) => void (await track(run(pool, 'giveNativeRunBack', { owner, run: key }))),
    settle: async (key) => void (await track(run(pool, 'settleNativeRun', { run: key }))),
  };
}

const named = (name: NativeRunStatementName) => numbered(nativeRunStatement(name, POSTGRES_DIALECT));

const STATEMENTS: Readonly<Record<NativeRunStatementName, Numbered>> = {
  insertNativeRun: named('insertNativeRun'),
  fenceEmptyLog: named('fenceEmptyLog'),
  fenceLog: named('fenceLog'),
  readNativeRun: named('readNativeRun'),
  takeNativeRun: named('takeNativeRun'),
  renewNativeRuns: named('renewNativeRuns'),
  recallNativeRuns: named('recallNativeRuns'),
  readNow: named('readNow'),
  giveNativeRunBack: named('giveNativeRunBack'),
  settleNativeRun: named('settleNativeRun'),
};
