import { once } from 'node:events';
import type { BareSqlOrder } from './bare-sql.ts';
import { type PreparedEvents, prepareEvents } from './batches.ts';
import { startProgram } from './child.ts';
import { createRuns } from './documents.ts';
import type { Entrant, Row } from './row.ts';
import { makeScratchDatabase } from './scratch-database.ts';
import { startTarget, type Target } from './target.ts';
import { openWriter, type Transport, type Writer } from './writer.ts';

/** How a row's producers send: each into a run of its own, the next batch after the answer to the one before. */
export interface IngestShape {
  readonly transport: Transport;
  readonly batchSize: number;
  readonly writers: number;
}

/** How many events of a run are prepared before the first round. */
const PREPARED_EVENTS = 40_000;

/** Events per second through the front door: validated, durable, acknowledged. */
export function ingestRow(shape: IngestShape, bars: Row['bars'], postgresUrl: string | undefined): Row {
  const { transport, batchSize, writers } = shape;
  return {
    title: `ingest, ${transport}, ${batchSize} a batch, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
    unit: 'events/s',
    bars,
    enter: async () => {
      const events = prepareEvents(batchSize, Math.min(20_000, Math.ceil(PREPARED_EVENTS / batchSize)));
      const entrants = [];
      for (const contestant of ['ours', 'stock'] as const) {
        entrants.push(await enterTarget(await startTarget(contestant, postgresUrl), shape, events));
      }
      if (postgresUrl === undefined) entrants.push(await enterBareSql(shape));
      return entrants;
    },
  };
}

async function enterTarget(target: Target, shape: IngestShape, events: PreparedEvents): Promise<Entrant> {
  const { transport, writers: count } = shape;
  const writers = await Promise.all(
    Array.from({ length: count }, () => openWriter(target.graphqlUrl, transport)),
  );
  let rounds = 0;
  return {
    contestant: target.contestant,
    round: async (ms) => {
      rounds += 1;
      const prefix = `round-${rounds}-`;
      const ids = writers.map((_, index) => `${prefix}${index}`);
      await createRuns(target.graphqlUrl, ids);
      const startedAt = performance.now();
      const deadline = startedAt + ms;
      const accepted = await Promise.all(
        writers.map((writer, index) => writeUntil(deadline, writer, ids[index]!, events)),
      );
      const elapsedMs = performance.now() - startedAt;
      const total = accepted.reduce((sum, events) => sum + events, 0);
      const stored = await target.database.countEvents(prefix);
      if (stored !== total) throw new Error(`${target.contestant}: ${total} acknowledged, ${stored} stored`);
      return (total / elapsedMs) * 1_000;
    },
    close: async () => {
      for (const writer of writers) writer.close();
      await target.close();
    },
  };
}

async function writeUntil(
  deadline: number,
  writer: Writer,
  runId: string,
  events: PreparedEvents,
): Promise<number> {
  let accepted = 0;
  for (let index = 0; performance.now() < deadline; index += 1) {
    accepted += await writer.send(runId, events.batch(index));
  }
  return accepted;
}

async function enterBareSql({ batchSize, writers }: IngestShape): Promise<Entrant> {
  const database = await makeScratchDatabase(undefined);
  const child = startProgram('bare-sql.ts', { DATABASE_URL: database.url }, { channel: true });
  await once(child.process, 'message');
  return {
    contestant: 'limit',
    round: async (ms) => {
      const order: BareSqlOrder = { batchSize, writers, ms };
      child.process.send(order);
      const [rate] = await once(child.process, 'message');
      return rate as number;
    },
    close: async () => {
      await child.stop();
      await database.drop();
    },
  };
}
