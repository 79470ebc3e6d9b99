import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ENDPOINT_OPTIONS, type Endpoint, readEndpoint } from './endpoint.ts';
import { request } from './request.ts';
import { onlyRun, readArguments, wholeNumber } from './terminal/arguments.ts';
import { harmlessLine } from './terminal/harmless.ts';
import { createOutput, type Output, throwFailure } from './terminal/output.ts';
import { tell } from './terminal/tell.ts';

const OPTIONS = {
  ...ENDPOINT_OPTIONS,
  grace: { type: 'string' },
  'no-wait': { type: 'boolean', default: false },
} as const;

const MAX_GRACE_MS = 300_000;
const LOOK_MS = 300;

const FIELDS = 'status endedAt exitCode terminalErrorClass terminalErrorMessage run { ended }';

const STOP = `mutation ($runId: ID!, $graceMs: SafeInt) {
  stopJob(input: { runId: $runId, graceMs: $graceMs }) {
    ... on StopJobSuccess { job { ${FIELDS} } }
    ... on Error { __typename message }
    ... on JobRefused { code }
  }
}`;

const JOB = `query ($id: ID!) { job(runId: $id) { ${FIELDS} } }`;

const job = z.object({
  status: z.string(),
  endedAt: z.string().nullable(),
  exitCode: z.number().nullable(),
  terminalErrorClass: z.string().nullable(),
  terminalErrorMessage: z.string().nullable(),
  run: z.object({ ended: z.boolean() }),
});

type Job = z.infer<typeof job>;

/** Why a job was not stopped. */
const refusal = z.object({
  __typename: z.string(),
  code: z.string().optional(),
  message: z.string(),
  job: z.undefined().optional(),
});

const stopped = z.object({ stopJob: z.union([z.object({ job }), refusal]) });
const found = z.object({ job: job.nullable() });

/** `runfeed stop RUN`: stops the run's job and prints its status until it ends. Returns the exit code. */
export async function stop(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, OPTIONS, true);
  const runId = onlyRun('stop', positionals);
  const graceMs = wholeNumber('grace', values.grace, 0, MAX_GRACE_MS);
  const endpoint = await readEndpoint(values);
  const { stopJob } = await request(endpoint, stopped, STOP, { runId, graceMs });
  if (!stopJob.job) throw new Error(reasonOf(runId, stopJob));
  const output = createOutput(1);
  await output.write(`${describe(stopJob.job)}\n`);
  // The stop goes on whether or not its status can be printed.
  if (!values['no-wait']) await printUntilEnd(endpoint, runId, stopJob.job, output);
  throwFailure(output);
  return 0;
}

function reasonOf(runId: string, { __typename, code, message }: z.infer<typeof refusal>): string {
  if (__typename === 'NotFound') return `run ${runId} not found`;
  if (code === 'unknown_job')
    return `run ${runId} has no job to stop: its agent was not started by this server, so stop it where it runs`;
  return `run ${runId} was not stopped: ${message}`;
}

/** For people, who would otherwise wonder why `tail` goes on. */
export const RUN_GOES_ON = 'the run ends when no event of the stopped agent has arrived for 5 s';

/** Needs no timeout: the server enforces the job's grace period and deadline. Ctrl-C ends it earlier. */
async function printUntilEnd(endpoint: Endpoint, runId: string, first: Job, output: Output): Promise<void> {
  let last = first;
  while (last.endedAt === null) {
    await sleep(LOOK_MS);
    const { job } = await request(endpoint, found, JOB, { id: runId });
    if (!job) throw new Error(`the job of run ${runId} no longer exists`);
    if (job.status !== last.status) await output.write(`${describe(job)}\n`);
    last = job;
  }
  if (!last.run.ended) tell(RUN_GOES_ON);
}

function describe({ status, exitCode, terminalErrorClass, terminalErrorMessage }: Job): string {
  const facts = [
    exitCode === null ? null : `exit code ${exitCode}`,
    terminalErrorClass,
    terminalErrorMessage,
  ];
  return harmlessLine([status, ...facts.filter((fact) => fact !== null)].join(', '));
}
