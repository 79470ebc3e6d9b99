import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import type { StreamedEvent } from '../client/feed.ts';
import { streamEvents } from '../client/stream-events.ts';
import { createReleasers } from '../lib/releasers.ts';
import { startServer } from '../server/server.ts';
import { eventLine } from './event-line.ts';
import { fileSource, linesSource, play, stdinSource } from './play.ts';
import { request } from './request.ts';
import { stopSignal } from './stop-signal.ts';
import { DEMO_TRANSCRIPT } from './transcript.ts';
import { UsageError } from './usage-error.ts';

const RUN_ID = 'demo';

/**
 * `runfeed demo`: a server on a fresh store, a Goose transcript played into it through the adapter and `ingestEvents`,
 * and its events printed as a websocket subscriber gets them.
 */
export async function demo(argv: readonly string[]): Promise<number> {
  const { file, exit } = readOptions(argv);
  const stopped = Promise.race([stopSignal(), outputClosed()]);
  const releasers = createReleasers();
  try {
    const source =
      file === '-' ? stdinSource() : file ? await fileSource(file) : linesSource(DEMO_TRANSCRIPT);
    releasers.add(() => source.close());
    const folder = await mkdtemp(join(tmpdir(), 'runfeed-demo-'));
    releasers.add(() => rm(folder, { recursive: true, force: true }));
    const server = await startServer(
      {
        port: 0,
        host: '127.0.0.1',
        databaseUrl: `file:${join(folder, 'demo.db')}`,
        redisUrl: null,
        publicUrl: null,
        retentionDays: null,
        logLevel: 'warn',
      },
      pino({ level: 'warn' }, pino.destination(2)),
    );
    releasers.add(() => server.close());
    const url = `${server.url}/graphql`;
    await request(
      url,
      `mutation { createRun(input: { id: "${RUN_ID}", provider: anthropic, runtime: managed, title: "Demo" }) { __typename } }`,
    );
    print(`GraphiQL: ${server.url}/graphiql   (subscribe there too: the whole run is kept)`);
    print(
      `curl:     curl -N -H 'accept: text/event-stream' '${url}?query=subscription%7BrunEvents(runId:%22${RUN_ID}%22)%7Bseq%20kind%20data%7D%7D'`,
    );
    print('');

    const events = streamEvents(RUN_ID, { url, webSocketImpl: WebSocket });
    releasers.add(async () => void (await events.return()));
    const following = printRun(events);
    const playing = play(source, RUN_ID, url);
    const ended = Promise.all([following, playing]).then(() => 'ended' as const);
    const first = await Promise.race([ended, stopped]);
    if (first !== 'ended') {
      ended.catch(() => {});
      return 0;
    }
    if (exit) return 0;
    print('');
    print(`The run has ended; the server stays up at ${server.url} until Ctrl-C.`);
    await stopped;
    return 0;
  } finally {
    await releasers.release();
  }
}

async function printRun(events: AsyncIterable<StreamedEvent>): Promise<void> {
  let startedAt: number | undefined;
  for await (const event of events) {
    startedAt ??= event.tMs;
    print(eventLine(event, startedAt));
  }
}

function readOptions(argv: readonly string[]): {
  file: string | undefined;
  exit: boolean;
} {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        file: { type: 'string' },
        exit: { type: 'boolean', default: false },
      },
    });
    return { file: values.file, exit: values.exit };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Resolves when nobody reads the output any more, as after `| head`: without this it would be an uncaught error. */
function outputClosed(): Promise<void> {
  return new Promise((resolve) => void process.stdout.on('error', () => resolve()));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
