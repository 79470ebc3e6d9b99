import { pino } from 'pino';
import { readConfig } from '../config/env.ts';
import { startServer } from '../server/server.ts';
import { readArguments } from './arguments.ts';
import { stopSignal } from './stop-signal.ts';

/** `runfeed serve`: runs until SIGINT or SIGTERM. Addresses go to standard output, structured logs to standard error. */
export async function serve(argv: readonly string[]): Promise<number> {
  readArguments(argv, {});
  const read = readConfig();
  if (!read.ok) {
    for (const problem of read.problems) process.stderr.write(`runfeed: ${problem}\n`);
    return 2;
  }
  // Whatever this process makes is for its own user alone; the commands of jobs get a usual one again.
  process.umask(0o077);
  const log = pino({ level: read.config.logLevel }, pino.destination(2));
  // Listening for signals first: who reads the addresses may send one before the next line runs.
  const stopped = stopSignal();
  const server = await startServer(read.config, log);
  process.stdout.write(
    [
      `runfeed is listening on ${server.url}`,
      `  GraphiQL       ${server.url}/graphiql`,
      `  HTTP and SSE   ${server.url}/graphql`,
      `  websocket      ${server.url.replace('http', 'ws')}/graphql`,
      ...(read.config.publicUrl ? [`  PUBLIC_URL     ${read.config.publicUrl.origin}`] : []),
      '',
    ].join('\n'),
  );
  const signal = await stopped;
  log.info({ signal }, 'stopping; a second signal ends it at once');
  await server.close();
  log.info('stopped');
  return 0;
}
