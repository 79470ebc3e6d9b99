import { setTimeout as sleep } from 'node:timers/promises';
import { type Audience, openAudience } from './audience.ts';
import { batchFrom } from './batches.ts';
import { ask, type Child, listeningUrl, startProbed } from './child.ts';
import { createRuns, followPayload } from './documents.ts';
import type { HeldMemory } from './memory-probe.ts';
import type { Contestant, Entrant, Goal, Line, Row } from './row.ts';
import { makeScratchDatabase } from './scratch-database.ts';
import type { Stage } from './stage.ts';
import { openWriter } from './writer.ts';

const RUNS = 100;
/**
 * Events per batch, to write far more than sockets buffer: the system alone buffers some megabytes per
 * socket.
 */
const BATCH_SIZE = 250;

/** A server that reports its memory. */
interface ProbedServer {
  readonly url: string;
  memory(): Promise<HeldMemory>;
  close(): Promise<void>;
}

/**
 * The memory of a subscriber that waits for events, compared with a bare websocket of the same server
 * library.
 */
export function idleMemoryRow(subscribers: number, goals: readonly Goal[]): Row {
  return {
    title: `memory, ${subscribers.toLocaleString('en-US')} idle subscribers, each`,
    baseline: 'raw ws, the sockets alone',
    lines: [held(goals), { title: 'resident', unit: 'KB', goals: [] }],
    rhythm: 'once',
    enter: async (stage) => [
      {
        contestant: 'ours',
        round: async () => {
          const server = await startOurs(stage);
          try {
            const ids = Array.from({ length: RUNS }, (_, run) => `idle-${run}`);
            await createRuns(server.url, ids);
            // The first subscribers pay for what the server then caches: documents and statements.
            const first = await subscribe(server.url, ids, RUNS);
            const figures = await costOfEach(server, subscribers, () =>
              subscribe(server.url, ids, subscribers),
            );
            first.close();
            return figures;
          } finally {
            await server.close();
          }
        },
        close: async () => {},
      },
      {
        contestant: 'baseline',
        round: async () => {
          const child = startProbed('broadcast-server.ts', {});
          try {
            const url = (await listeningUrl(child)).replace('http', 'ws');
            const connect = (size: number) => openAudience(url, size, null);
            const first = await connect(RUNS);
            const figures = await costOfEach(probed(child, url), subscribers, () => connect(subscribers));
            first.close();
            return figures;
          } finally {
            await child.stop();
          }
        },
        close: async () => {},
      },
    ],
  };
}

/**
 * The memory of a subscriber that reads nothing while a large amount is written to it, compared with one that
 * reads.
 */
export function stalledMemoryRow(
  { subscribers, events }: { readonly subscribers: number; readonly events: number },
  goals: readonly Goal[],
): Row {
  const enter = (stage: Stage, contestant: Contestant, stalled: boolean): Entrant => ({
    contestant,
    round: async () => {
      const server = await startOurs(stage);
      try {
        const id = 'stalled';
        await createRuns(server.url, [id]);
        // This subscriber keeps reading, so that the newest events are kept in memory in any case.
        const reader = await subscribe(server.url, [id], 1);
        const figures = await costOfEach(server, subscribers, async () => {
          const audience = await subscribe(server.url, [id], subscribers);
          if (stalled) for (const socket of audience.sockets) socket.pause();
          await publish(server.url, id, events);
          const readers = stalled ? [reader] : [reader, audience];
          await Promise.all(readers.map(({ sockets, reached }) => reached(sockets.length * (events + 1))));
          return audience;
        });
        reader.close();
        return figures;
      } finally {
        await server.close();
      }
    },
    close: async () => {},
  });
  return {
    title: `memory, a subscriber stalled ${events.toLocaleString('en-US')} events behind, each of ${subscribers}`,
    baseline: 'ours, a subscriber that reads',
    lines: [held(goals)],
    rhythm: 'once',
    enter: async (stage) => [enter(stage, 'ours', true), enter(stage, 'baseline', false)],
  };
}

function held(goals: readonly Goal[]): Line {
  return { title: 'heap and buffers', unit: 'KB', goals };
}

/**
 * Returns kilobytes per subscriber: memory of the process that is freed when it leaves, and memory obtained
 * from the system when it arrived. One subscriber stays and keeps everything shared: a page of history exists
 * once, however many read it.
 */
async function costOfEach(
  server: ProbedServer,
  size: number,
  arrive: () => Promise<Audience>,
): Promise<readonly number[]> {
  const before = await server.memory();
  const audience = await arrive();
  await sleep(200);
  const among = await server.memory();
  for (const socket of audience.sockets.slice(1)) socket.close();
  await sleep(1_000);
  const after = await server.memory();
  audience.close();
  const each = (bytes: number): number => bytes / (size - 1) / 1_024;
  return [each(among.held - after.held), each(among.resident - before.resident)];
}

async function startOurs(stage: Stage): Promise<ProbedServer> {
  const database = await makeScratchDatabase(stage.postgresUrl);
  const env = { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', DATABASE_URL: database.url };
  const child = startProbed('built server', env);
  const server = probed(child, `${await listeningUrl(child)}/graphql`);
  return {
    ...server,
    close: async () => {
      await server.close();
      await database.drop();
    },
  };
}

function probed(child: Child, url: string): ProbedServer {
  return { url, memory: async () => (await ask(child, {})) as HeldMemory, close: () => child.stop() };
}

async function subscribe(graphqlUrl: string, runIds: readonly string[], size: number): Promise<Audience> {
  const audience = await openAudience(graphqlUrl.replace('http', 'ws'), size, 'graphql-transport-ws');
  for (const socket of audience.sockets) socket.send('{"type":"connection_init"}');
  await audience.reached(size);
  audience.sockets.forEach((socket, index) => {
    socket.send(`{"id":"1","type":"subscribe","payload":${followPayload(runIds[index % runIds.length]!)}}`);
  });
  await sleep(300);
  return audience;
}

async function publish(graphqlUrl: string, runId: string, events: number): Promise<void> {
  const writer = await openWriter(graphqlUrl, 'websocket');
  try {
    for (let first = 0; first < events; first += BATCH_SIZE) {
      await writer.send(runId, batchFrom(first, BATCH_SIZE));
    }
  } finally {
    writer.close();
  }
}
