import { type PreparedEvents, prepareEvents } from './batches.ts';
import { createRuns } from './documents.ts';
import { type DurableStreams, openAppender } from './durable-streams.ts';
import { type Contestant, type Entrant, type Goal, onlyLine, type Row } from './row.ts';
import type { Stage } from './stage.ts';
import type { Target } from './target.ts';
import { openWriter, type Transport } from './writer.ts';

/**
 * How a row's producers send: each to a separate run, and the next batch after the answer to the previous
 * one.
 */
export interface IngestShape {
  readonly transport: Transport;
  readonly batchSize: number;
  readonly writers: number;
}

/** What the row is compared with besides the stock way and Durable Streams. */
export type IngestBaseline = 'bare SQL' | 'ours on SQLite' | null;

/** A producer for any contestant. */
interface Producer {
  /** Sends the run's batch at this index. Resolves to the number of its events that are durable. */
  send(index: number): Promise<number>;
  close(): void;
}

/** How many events of a run are prepared before the first round. */
const PREPARED_EVENTS = 40_000;

/** Events per second through the public API: validated, durable, acknowledged. */
export function ingestRow(shape: IngestShape, baseline: IngestBaseline, goals: readonly Goal[]): Row {
  const { transport, batchSize, writers } = shape;
  return {
    title: `ingest, ${transport}, ${batchSize} a batch, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
    baseline: baseline === 'bare SQL' ? 'bare SQL, one commit a turn of all writers' : baseline,
    lines: onlyLine('events/s', goals),
    rhythm: 'rounds',
    enter: async (stage) => {
      const events = prepareEvents(batchSize, Math.ceil(PREPARED_EVENTS / batchSize));
      return [
        enterTarget('ours', await stage.target('ours'), shape, events),
        enterTarget('stock', await stage.target('stock'), shape, events),
        enterDurableStreams(await stage.durableStreams(), shape, events),
        ...(await baselineOf(baseline, stage, shape, events)),
      ];
    },
  };
}

async function baselineOf(
  baseline: IngestBaseline,
  stage: Stage,
  shape: IngestShape,
  events: PreparedEvents,
): Promise<Entrant[]> {
  switch (baseline) {
    case null:
      return [];
    case 'ours on SQLite':
      return [enterTarget('baseline', await stage.oursOnSqlite(), shape, events)];
    case 'bare SQL': {
      const bareSql = await stage.bareSql();
      const { batchSize, writers } = shape;
      const round = async (ms: number) => [await bareSql.round({ batchSize, writers, ms })];
      return [{ contestant: 'baseline', round, close: async () => {} }];
    }
  }
}

function enterTarget(
  contestant: Contestant,
  target: Target,
  { transport, batchSize, writers }: IngestShape,
  events: PreparedEvents,
): Entrant {
  let rounds = 0;
  return {
    contestant,
    round: async (ms) => {
      rounds += 1;
      const prefix = `${transport}-${batchSize}-${writers}-${rounds}-`;
      const ids = Array.from({ length: writers }, (_, index) => `${prefix}${index}`);
      await createRuns(target.graphqlUrl, ids);
      // Opened for each round, because a server may close an idle HTTP connection while the others take their
      // turns.
      const producers = await Promise.all(
        ids.map(async (id): Promise<Producer> => {
          const { send, close } = await openWriter(target.graphqlUrl, transport);
          return { send: (index) => send(id, events.batch(index)), close };
        }),
      );
      const { total, rate } = await produce(producers, ms);
      const stored = await target.database.countEvents(prefix);
      if (stored !== total) throw new Error(`${total} events acknowledged, ${stored} stored`);
      return [rate];
    },
    close: async () => {},
  };
}

function enterDurableStreams(
  server: DurableStreams,
  { transport, batchSize, writers }: IngestShape,
  events: PreparedEvents,
): Entrant {
  let rounds = 0;
  return {
    contestant: 'durable',
    round: async (ms) => {
      rounds += 1;
      const streams = Array.from({ length: writers }, (_, index) =>
        [transport, batchSize, writers, rounds, index].join('-'),
      );
      const appenders = await Promise.all(streams.map((stream) => openAppender(server, stream)));
      try {
        const producers = appenders.map(
          ({ append }): Producer => ({
            send: async (index) => {
              const { json, size } = events.batch(index);
              await append(json);
              return size;
            },
            close: () => {},
          }),
        );
        const { rate } = await produce(producers, ms);
        for (const { check } of appenders) await check();
        return [rate];
      } finally {
        await Promise.all(appenders.map(({ remove }) => remove()));
      }
    },
    close: async () => {},
  };
}

async function produce(
  producers: readonly Producer[],
  ms: number,
): Promise<{ readonly total: number; readonly rate: number }> {
  try {
    const startedAt = performance.now();
    const deadline = startedAt + ms;
    const accepted = await Promise.all(producers.map((producer) => produceUntil(deadline, producer)));
    const elapsedMs = performance.now() - startedAt;
    const total = accepted.reduce((sum, events) => sum + events, 0);
    return { total, rate: (total / elapsedMs) * 1_000 };
  } finally {
    for (const { close } of producers) close();
  }
}

async function produceUntil(deadline: number, { send }: Producer): Promise<number> {
  let accepted = 0;
  for (let index = 0; performance.now() < deadline; index += 1) accepted += await send(index);
  return accepted;
}
