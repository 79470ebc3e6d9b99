import { prepareEvents } from './batches.ts';
import { createRuns } from './documents.ts';
import type { Row } from './row.ts';
import type { Target } from './target.ts';
import { openWriter } from './writer.ts';

const BATCH_SIZE = 8;
const MAX_SOCKETS = 100;

/** Ingest with a growing number of runs, over at most 100 sockets that each send for their runs in turn. */
export function scaleRow(runCounts: readonly number[]): Row {
  return {
    title: `ingest by number of runs, websocket, ${BATCH_SIZE} a batch, at most ${MAX_SOCKETS} sockets`,
    baseline: null,
    lines: runCounts.map((runs) => ({
      title: `${runs.toLocaleString('en-US')} ${runs === 1 ? 'run' : 'runs'}`,
      unit: 'events/s',
      goals: [],
      showsGrowth: true,
    })),
    rhythm: 'rounds',
    enter: async (stage) => {
      const target = await stage.target('ours');
      const events = prepareEvents(BATCH_SIZE, 5_000);
      const sizes: ((ms: number) => Promise<number>)[] = [];
      for (const runs of runCounts) sizes.push(await enterRuns(target, runs, events));
      return [
        {
          contestant: 'ours',
          round: async (ms) => {
            const rates: number[] = [];
            for (const round of sizes) rates.push(await round(ms));
            return rates;
          },
          close: async () => {},
        },
      ];
    },
  };
}

async function enterRuns(
  { graphqlUrl, database }: Target,
  runs: number,
  events: ReturnType<typeof prepareEvents>,
): Promise<(ms: number) => Promise<number>> {
  const prefix = `scale-${runs}-`;
  const ids = Array.from({ length: runs }, (_, index) => `${prefix}${index}`);
  await createRuns(graphqlUrl, ids);
  const batchesOf = new Uint32Array(runs);
  // Where each socket continues in the next round, so that every run gets its turn.
  const sockets = Array.from({ length: Math.min(runs, MAX_SOCKETS) }, (_, run) => ({ run }));
  let total = 0;
  return async (ms) => {
    const writers = await Promise.all(sockets.map(() => openWriter(graphqlUrl, 'websocket')));
    try {
      const before = total;
      const startedAt = performance.now();
      const work = sockets.map(async (socket, index) => {
        while (performance.now() - startedAt < ms) {
          const { run } = socket;
          const accepted = await writers[index]!.send(ids[run]!, events.batch(batchesOf[run]!));
          total += accepted;
          batchesOf[run] = batchesOf[run]! + 1;
          socket.run = run + sockets.length < runs ? run + sockets.length : index;
        }
      });
      await Promise.all(work);
      const elapsedMs = performance.now() - startedAt;
      const stored = await database.countEvents(prefix);
      if (stored !== total) throw new Error(`${total} events acknowledged, ${stored} stored`);
      return ((total - before) / elapsedMs) * 1_000;
    } finally {
      for (const { close } of writers) close();
    }
  };
}
