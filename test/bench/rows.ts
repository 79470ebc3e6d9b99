import { adaptersRow } from './adapters-row.ts';
import { fanOutRow, gatheredFanOutRow } from './fan-out-row.ts';
import { ingestRow } from './ingest-rows.ts';
import { jobsRow } from './jobs-row.ts';
import { latencyRow } from './latency-row.ts';
import { longRunRow } from './long-run-row.ts';
import { idleMemoryRow, stalledMemoryRow } from './memory-rows.ts';
import { replayRow } from './replay-row.ts';
import type { Goal, Row } from './row.ts';
import { scaleRow } from './scale-row.ts';
import { validatorRow } from './validator-row.ts';

/** What the rows depend on. */
export interface Setting {
  /** Use fewer runs, subscribers and events if setting them up takes long. */
  readonly quick: boolean;
  /**
   * Measure on Postgres. Durable Streams has no database, so it has goals only on SQLite and is merely shown
   * on Postgres.
   */
  readonly postgres: boolean;
}

/** Lists every row of the table, in order. The bars are the project's goals. */
export function listRows({ quick, postgres }: Setting): readonly Row[] {
  const bareSql = postgres ? null : 'bare SQL';
  const durable = (bar: number): Goal[] => (postgres ? [] : [atLeast('durable', bar)]);
  const smallBatches = [...durable(3.5), atLeast('stock', 10)];
  return [
    validatorRow([atMost('baseline', 1.5)]),
    ingestRow({ transport: 'websocket', batchSize: 256, writers: 16 }, bareSql, [
      ...durable(1),
      atLeast('stock', 8),
    ]),
    postgres
      ? ingestRow({ transport: 'websocket', batchSize: 8, writers: 64 }, 'ours on SQLite', [
          ...smallBatches,
          atLeast('baseline', 0.6),
        ])
      : ingestRow({ transport: 'websocket', batchSize: 8, writers: 64 }, 'bare SQL', smallBatches),
    ingestRow({ transport: 'websocket', batchSize: 1, writers: 1 }, bareSql, []),
    ingestRow({ transport: 'HTTP', batchSize: 256, writers: 16 }, bareSql, durable(0.7)),
    ingestRow({ transport: 'HTTP', batchSize: 8, writers: 64 }, bareSql, durable(1.7)),
    ingestRow({ transport: 'HTTP', batchSize: 1, writers: 1 }, bareSql, durable(2)),
    scaleRow([1, 100, quick ? 1_000 : 10_000]),
    fanOutRow({ subscribers: 500, batchSize: 1 }, []),
    fanOutRow({ subscribers: 500, batchSize: 32 }, [atLeast('baseline', 0.7), atLeast('stock', 4)]),
    gatheredFanOutRow({ subscribers: 500, batchSize: 32 }),
    latencyRow(
      { runs: 100, subscribersPerRun: 10, eventsPerSecond: 20 },
      { p50: [atMost('baseline', 2)], p99: [atMost('baseline', 3)] },
    ),
    replayRow([atLeast('baseline', 0.4)]),
    longRunRow([atMost('baseline', 1.2)]),
    jobsRow(1_000),
    idleMemoryRow(quick ? 500 : 2_000, [{ against: 'baseline', holds: 'excess at most', bar: 20 }]),
    stalledMemoryRow(quick ? { subscribers: 50, events: 40_000 } : { subscribers: 100, events: 50_000 }, [
      atMost('baseline', 1),
    ]),
    adaptersRow(quick ? 20_000_000 : 1_000_000_000),
  ];
}

type Rival = NonNullable<Goal['against']>;

function atLeast(against: Rival, bar: number): Goal {
  return { against, holds: 'ratio at least', bar };
}

function atMost(against: Rival, bar: number): Goal {
  return { against, holds: 'ratio at most', bar };
}
