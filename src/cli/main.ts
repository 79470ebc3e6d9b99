#!/usr/bin/env node
import { lineOf } from '../lib/error-line.ts';
import { StartFault } from '../lib/start-fault.ts';
import { VERSION } from '../server/version.ts';
import { demoRunner } from './demo-runner.ts';
import { logs } from './logs.ts';
import { pipe } from './pipe.ts';
import { runs } from './runs.ts';
import { stop } from './stop.ts';
import { tail } from './tail.ts';
import { UsageError } from './usage-error.ts';

const HELP = `runfeed ${VERSION}: the server between AI agent runs and the people who watch them

  runfeed serve          start the server (the default)
  runfeed demo           start a job on a fresh server and show its run arriving
      --file FILE        a Goose stream-json file instead of the one that ships; - reads standard input
      --exit             leave when the run has ended
      --stop-after N     stop the job after N seconds
  runfeed pipe [--run RUN] -- COMMAND …
                         run an agent and report its run; without -- reads what one prints
      --runtime NAME     whose output it is; by default the command's name or the first lines tell
      --provider NAME    what the run is made with; by default by the runtime
      --title TEXT       what the run is called
      --spool DIR        where undelivered events are kept; by default among the temporary files
      --spool-mib N      how many: beyond that the command is held back (64)
      --flush-timeout N  seconds to deliver the rest in at the end (60)
  runfeed tail RUN       print a run as it goes [--after N] [--json] [--no-color]
  runfeed runs           list the newest runs [--limit N] [--json]
  runfeed stop RUN       stop a run's job [--grace MS] [--no-wait]
  runfeed logs RUN       print what a run's job printed [--lines N]
      --url URL          where the server is, for pipe to logs; or RUNFEED_URL (http://127.0.0.1:4000)
      --token TOKEN      who is asking; or RUNFEED_TOKEN (on this machine the admin token is found in its file)
  runfeed --help         this
  runfeed --version      the version

serve reads PORT (4000), HOST (127.0.0.1), DATABASE_URL (file:./data/runfeed.db), REDIS_URL, PUBLIC_URL,
ADMIN_TOKEN_FILE, RETENTION_DAYS, MAX_RUN_EVENTS, MAX_RUN_BYTES, RUNNERS_FILE, SECRET_KEYS, JOBS_USER, JOBS_FOLDER, ORPHAN_SWEEP (remove),
ANTHROPIC_API_KEY and others for native runs, and LOG_LEVEL (info): the README has them all.
`;

/** Runs a command; the result is the process's exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const [command = 'serve', ...rest] = argv;
  switch (command) {
    case 'serve':
      // The server is most of the code: a command that is but its client starts several times as fast without it.
      return (await import('./serve.ts')).serve(rest);
    case 'demo':
      return (await import('./demo.ts')).demo(rest);
    case 'pipe':
      return pipe(rest);
    case 'tail':
      return tail(rest);
    case 'runs':
      return runs(rest);
    case 'stop':
      return stop(rest);
    case 'logs':
      return logs(rest);
    case 'demo-runner':
      return demoRunner();
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case '--version':
    case '-v':
      process.stdout.write(`${VERSION}\n`);
      return 0;
    default:
      throw new UsageError(`there is no command ${command}`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`runfeed: ${lineOf(error)}\n`);
  if (error instanceof UsageError) process.stderr.write('runfeed --help shows what there is\n');
  process.exitCode = error instanceof UsageError || error instanceof StartFault ? 2 : 1;
}
