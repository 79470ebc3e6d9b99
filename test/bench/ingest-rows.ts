import { type PreparedEvents, prepareEvents } from './batches.ts';
import { createRuns } from './documents.ts';
import type { Entrant, Row } from './row.ts';
import type { Stage } from './stage.ts';
import type { Target } from './target.ts';
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
export function ingestRow(shape: IngestShape, bars: Row['bars']): Row {
  const { transport, batchSize, writers } = shape;
  return {
    title: `ingest, ${transport}, ${batchSize} a batch, ${writers} ${writers === 1 ? 'writer' : 'writers'}`,
    unit: 'events/s',
    bars,
    enter: async (stage) => {
      const events = prepareEvents(batchSize, Math.ceil(PREPARED_EVENTS / batchSize));
      return [
        enterTarget(await stage.target('ours'), shape, events),
        enterTarget(await stage.target('stock'), shape, events),
        ...(await limitOf(stage, shape)),
      ];
    },
  };
}

async function limitOf(stage: Stage, { batchSize, writers }: IngestShape): Promise<Entrant[]> {
  if (stage.postgresUrl !== undefined) return [];
  const bareSql = await stage.bareSql();
  return [
    {
      contestant: 'limit',
      round: (ms) => bareSql.round({ batchSize, writers, ms }),
      close: async () => {},
    },
  ];
}

function enterTarget(target: Target, shape: IngestShape, events: PreparedEvents): Entrant {
  const { transport, batchSize, writers: count } = shape;
  let rounds = 0;
  return {
    contestant: target.contestant,
    round: async (ms) => {
      rounds += 1;
      const prefix = `${transport}-${batchSize}-${count}-${rounds}-`;
      const ids = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
      await createRuns(target.graphqlUrl, ids);
      // Opened for each round: while the others have their turn, a server may end an idle HTTP connection.
      const writers = await Promise.all(ids.map(() => openWriter(target.graphqlUrl, transport)));
      try {
        const startedAt = performance.now();
        const deadline = startedAt + ms;
        const accepted = await Promise.all(
          writers.map((writer, index) => writeUntil(deadline, writer, ids[index]!, events)),
        );
        const elapsedMs = performance.now() - startedAt;
        const total = accepted.reduce((sum, events) => sum + events, 0);
        const stored = await target.database.countEvents(prefix);
        if (stored !== total) throw new Error(`${total} events acknowledged, ${stored} stored`);
        return (total / elapsedMs) * 1_000;
      } finally {
        for (const writer of writers) writer.close();
      }
    },
    close: async () => {},
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
