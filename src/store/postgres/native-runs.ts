import type { Pool, QueryConfig, QueryResultRow } from 'pg';
import { type NativeRunStatementName, nativeRunStatement } from '../native-run-statements.ts';
import type { NativeRunRecord, NativeRunStore } from '../native-runs.ts';
import { numberArray } from './arrays.ts';
import type { OnRow } from './lock-lanes.ts';
import {
  type Connection,
  inTransaction,
  type Numbered,
  numbered,
  type Parameters,
  POSTGRES_DIALECT,
} from './named.ts';

/** The rows of many followed runs at once. One name, so that these statements together wait in one lane. */
const LEASES = 'leases of followed runs';

/** Creates the store of followed runs on Postgres. For `types`, `track` and `onRow` see `createPostgresJobs`. */
export function createPostgresNativeRuns(
  pool: Pool,
  types: NonNullable<QueryConfig['types']>,
  track: <Answer>(work: Promise<Answer>) => Promise<Answer>,
  onRow: OnRow,
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
      onRow(native.run, () =>
        inTransaction(pool, async (client) => {
          const { rowCount } = await run(client, 'fenceEmptyLog', { run: native.run, owner });
          if (rowCount !== 1) return false;
          await run(client, 'insertNativeRun', { ...native, owner, leaseMs });
          return true;
        }),
      ),
    read: (key) => track(read(key)),
    takeOver: async ({ owner, leaseMs }, own) => {
      const taken = await onRow(LEASES, () =>
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
    recall: async (leaseMs) => void (await onRow(LEASES, () => run(pool, 'recallNativeRuns', { leaseMs }))),
    renew: async ({ owner, leaseMs }, runs) => {
      const parameters = { owner, leaseMs, runs: numberArray(runs) };
      const { rows } = await onRow(LEASES, () => run<{ run: number }>(pool, 'renewNativeRuns', parameters));
      return new Set(rows.map((row) => row.run));
    },
    giveBack: async (owner, key) =>
      void (await onRow(key, () => run(pool, 'giveNativeRunBack', { owner, run: key }))),
    settle: async (key) => void (await onRow(key, () => run(pool, 'settleNativeRun', { run: key }))),
  };
}

const named = (name: NativeRunStatementName) => numbered(nativeRunStatement(name, POSTGRES_DIALECT));

/**
 * A record that others hold is left to the next renewal: the leases of all other runs would end with its own.
 * It still counts as owned.
 */
const RENEW_FREE = `WITH free AS (
    SELECT n.run FROM native_run n WHERE n.run ${POSTGRES_DIALECT.inRuns} AND n.lease_owner = @owner
    FOR UPDATE SKIP LOCKED
  ), renewed AS (
    UPDATE native_run n SET lease_until = ${POSTGRES_DIALECT.nowMs} + CAST(@leaseMs AS BIGINT)
    FROM free, run r WHERE n.run = free.run AND r.key = n.run AND r.terminal_seq IS NULL
  )
  SELECT n.run FROM native_run n JOIN run r ON r.key = n.run
  WHERE n.run ${POSTGRES_DIALECT.inRuns} AND n.lease_owner = @owner AND r.terminal_seq IS NULL`;

const STATEMENTS: Readonly<Record<NativeRunStatementName, Numbered>> = {
  insertNativeRun: named('insertNativeRun'),
  fenceEmptyLog: named('fenceEmptyLog'),
  fenceLog: named('fenceLog'),
  readNativeRun: named('readNativeRun'),
  takeNativeRun: named('takeNativeRun'),
  renewNativeRuns: numbered(RENEW_FREE),
  recallNativeRuns: named('recallNativeRuns'),
  readNow: named('readNow'),
  giveNativeRunBack: named('giveNativeRunBack'),
  settleNativeRun: named('settleNativeRun'),
};
