import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Committed } from '../../src/ingest/committed.ts';
import { openAudience } from './audience.ts';
import { batchFrom, eventAt } from './batches.ts';
import { ask, listeningUrl, startCommitProbed, startProgram } from './child.ts';
import { createRuns, followTimesPayload } from './documents.ts';
import { type Conveyor, conveyLoad, type Latencies, type LatencyLoad, quantile } from './latency-load.ts';
import type { Entrant, Goal, Row } from './row.ts';
import { makeScratchDatabase } from './scratch-database.ts';
import type { Stage } from './stage.ts';
import { openWriter } from './writer.ts';

/** Shorter rounds would have too few events per run and no steady load. */
const MIN_ROUND_MS = 1_000;

/** The time from sending an event to its arrival at subscribers, under a steady load of small batches. */
export function latencyRow(
  load: LatencyLoad,
  goals: { readonly p50: readonly Goal[]; readonly p99: readonly Goal[] },
): Row {
  const { runs, subscribersPerRun, eventsPerSecond } = load;
  return {
    title: `latency, ${runs} runs × ${subscribersPerRun} subscribers × ${eventsPerSecond} events/s`,
    baseline: 'raw ws echo, sent → received',
    lines: [
      { title: 'commit → received, p50', unit: 'ms', goals: goals.p50 },
      { title: 'commit → received, p99', unit: 'ms', goals: goals.p99 },
      { title: 'sent → received, p50', unit: 'ms', goals: [] },
      { title: 'sent → received, p99', unit: 'ms', goals: [] },
      { title: 'acknowledged → received, p50', unit: 'ms', goals: [] },
    ],
    rhythm: 'rounds',
    enter: async (stage) => [await enterOurs(stage, load), await enterEcho(load)],
  };
}

/** In a separate server, which reports from inside when its commits were done. */
async function enterOurs(stage: Stage, load: LatencyLoad): Promise<Entrant> {
  const database = await makeScratchDatabase(stage.postgresUrl);
  const env = { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', DATABASE_URL: database.url };
  const child = startCommitProbed(env);
  const graphqlUrl = `${await listeningUrl(child)}/graphql`;
  const ids = Array.from({ length: load.runs }, (_, run) => `latency-${run}`);
  await createRuns(graphqlUrl, ids);
  const url = graphqlUrl.replace('http', 'ws');
  const audience = await openAudience(url, load.runs * load.subscribersPerRun, 'graphql-transport-ws');
  for (const socket of audience.sockets) socket.send('{"type":"connection_init"}');
  await audience.reached(audience.sockets.length);
  audience.sockets.forEach((socket, index) => {
    socket.send(`{"id":"1","type":"subscribe","payload":${followTimesPayload(ids[index % load.runs]!)}}`);
  });
  const writers = await Promise.all(ids.map(() => openWriter(graphqlUrl, 'websocket')));
  const conveyor: Conveyor = {
    send: async (run, seq) => void (await writers[run]!.send(ids[run]!, batchFrom(seq, 1))),
    listen: (onReceived) => {
      audience.sockets.forEach((socket, index) => {
        socket.witness((text) => onReceived(index % load.runs, seqOf(text)));
      });
    },
    commitTimes: async () => {
      const commits = (await ask(child, {})) as readonly Committed[];
      const times = new Map<string, number>();
      // The database is new and its runs were created in order, so their keys count from 1.
      for (const { at, appends } of commits) {
        for (const { run, lastSeq } of appends) times.set(`${run - 1} ${lastSeq}`, at);
      }
      return (run, seq) => times.get(`${run} ${seq}`) ?? Number.NaN;
    },
  };
  return {
    contestant: 'ours',
    round: rounds(load, conveyor, ({ sinceSent, sinceCommit, sinceAcknowledged }) => [
      quantile(sinceCommit, 0.5),
      quantile(sinceCommit, 0.99),
      quantile(sinceSent, 0.5),
      quantile(sinceSent, 0.99),
      quantile(sinceAcknowledged, 0.5),
    ]),
    close: async () => {
      for (const { close } of writers) close();
      audience.close();
      await child.stop();
      await database.drop();
    },
  };
}

/** Nothing is stored here, so the time since sending is the whole path. */
async function enterEcho(load: LatencyLoad): Promise<Entrant> {
  const child = startProgram('echo-server.ts', {});
  const url = (await listeningUrl(child)).replace('http', 'ws');
  const runs = Array.from({ length: load.runs }, (_, run) => run);
  const audiences = await Promise.all(
    runs.map((run) => openAudience(`${url}/follow/${run}`, load.subscribersPerRun, null)),
  );
  const publishers = await Promise.all(
    runs.map(async (run) => {
      const publisher = new WebSocket(`${url}/publish/${run}`, { perMessageDeflate: false });
      await once(publisher, 'open');
      return publisher;
    }),
  );
  const conveyor: Conveyor = {
    send: async (run, seq) => {
      const answered = once(publishers[run]!, 'message');
      publishers[run]!.send(delivery(seq));
      await answered;
    },
    listen: (onReceived) => {
      audiences.forEach(({ sockets }, run) => {
        for (const socket of sockets) socket.witness((text) => onReceived(run, seqOf(text)));
      });
    },
    commitTimes: async () => null,
  };
  return {
    contestant: 'baseline',
    round: rounds(load, conveyor, ({ sinceSent }) => {
      const p50 = quantile(sinceSent, 0.5);
      const p99 = quantile(sinceSent, 0.99);
      return [p50, p99, p50, p99];
    }),
    close: async () => {
      for (const publisher of publishers) publisher.terminate();
      for (const { close } of audiences) close();
      await child.stop();
    },
  };
}

function rounds(
  load: LatencyLoad,
  conveyor: Conveyor,
  figures: (latencies: Latencies) => readonly number[],
): Entrant['round'] {
  let nextSeq = 0;
  return async (paceMs) => {
    const ms = Math.max(paceMs, MIN_ROUND_MS);
    // Keeps the remaining work of the previous round, in the servers and here, out of this one.
    await sleep(100);
    const latencies = await conveyLoad(load, conveyor, nextSeq, ms);
    nextSeq += Math.max(1, Math.round((ms / 1_000) * load.eventsPerSecond));
    return figures(latencies);
  };
}

/** Returns a message of as many bytes as this server would send. */
function delivery(seq: number): string {
  const runEvents = { ...eventAt(seq), committedAt: '2026-01-01T00:00:00.000Z' };
  return JSON.stringify({ id: '1', type: 'next', payload: { data: { runEvents } } });
}

function seqOf(text: string): number {
  const at = text.indexOf('"seq":');
  if (at < 0) throw new Error(`not an event: ${text}`);
  return Number.parseInt(text.slice(at + 6, at + 22), 10);
}
