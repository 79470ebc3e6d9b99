import { readConfig } from '../config/env.ts';
import { echoedLine } from '../lib/text/echo.ts';
import { startServer } from '../server/server.ts';
import { readArguments } from './terminal/arguments.ts';
import { createLineWriter } from './terminal/line-writer.ts';
import { createServerLog } from './terminal/server-log.ts';
import { stopSignal } from './terminal/stop-signal.ts';
import { tell } from './terminal/tell.ts';

/** The most problems of a configuration that are printed. */
const MAX_PROBLEMS = 20;

/**
 * `runfeed serve`: runs until SIGINT or SIGTERM. Prints addresses to standard output and JSON logs to
 * standard error. Returns the exit code.
 */
export async function serve(argv: readonly string[]): Promise<number> {
  readArguments(argv, {});
  const read = readConfig();
  if (!read.ok) {
    for (const problem of read.problems.slice(0, MAX_PROBLEMS)) tell(echoedLine(problem));
    const more = read.problems.length - MAX_PROBLEMS;
    if (more > 0) tell(`and ${more} more problems`);
    return 2;
  }
  // Files of this process are for its own user only. The commands of jobs get a usual umask again.
  process.umask(0o077);
  const log = createServerLog(read.config.logLevel);
  // Listen for signals first: a reader of the addresses may send one before the next line runs.
  const stopped = stopSignal();
  const server = await startServer(read.config, log);
  // The server runs whether or not its addresses can be printed.
  createLineWriter(1).write(
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
  log.info({ signal }, 'stopping; a second signal exits immediately');
  await server.close();
  log.info('stopped');
  return 0;
}
