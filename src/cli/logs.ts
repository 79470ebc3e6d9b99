import { z } from 'zod';
import { ENDPOINT_OPTIONS, readEndpoint } from './endpoint.ts';
import { request } from './request.ts';
import { onlyRun, readArguments, wholeNumber } from './terminal/arguments.ts';
import { harmless } from './terminal/harmless.ts';
import { print } from './terminal/output.ts';
import { tell } from './terminal/tell.ts';

const OPTIONS = { ...ENDPOINT_OPTIONS, lines: { type: 'string' } } as const;

const answer = z.object({
  run: z.object({}).nullable(),
  job: z.object({ logs: z.string().nullable() }).nullable(),
});

const LINES = 100;
const MAX_LINES = 10_000;

/** `runfeed logs RUN`: prints the newest lines of the job's output, by default 100. Returns the exit code. */
export async function logs(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, OPTIONS, true);
  const runId = onlyRun('logs', positionals);
  const lines = wholeNumber('lines', values.lines, 1, MAX_LINES) ?? LINES;
  const query =
    'query ($id: ID!, $lines: Int) { run(id: $id) { id } job(runId: $id) { logs(lines: $lines) } }';
  const { run, job } = await request(await readEndpoint(values), answer, query, { id: runId, lines });
  if (!run) throw new Error(`run ${runId} not found`);
  if (!job)
    throw new Error(`run ${runId} has no job, so it has no logs: its agent was not started by this server`);
  const logs = harmless(job.logs ?? '');
  if (logs) await print(logs.endsWith('\n') ? logs : `${logs}\n`);
  else tell(`no output of the job of run ${runId} is available`);
  return 0;
}
