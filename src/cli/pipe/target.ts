import { z } from 'zod';
import { claimJob } from '../../client/request/claim.ts';
import { type RunnerEnvironment, readRunnerEnvironment } from '../../config/runner-env.ts';
import type { JsonObject } from '../../contract/events.ts';
import { type Endpoint, readEndpoint } from '../endpoint.ts';
import { request, Unreachable } from '../request.ts';
import { tell } from '../terminal/tell.ts';
import { UsageError } from '../terminal/usage-error.ts';
import type { PipeOptions } from './options.ts';

/** The run to report to. */
export interface Target {
  readonly runId: string;
  readonly endpoint: Endpoint;
  /** The run's position. Null: no runfeed server answers. */
  readonly place: Place | null;
  /** Why the position is unknown. Null if it is known. */
  readonly unreachable: Unreachable | null;
  /** The job's payload. Null outside a job, or if the job has none. */
  readonly payload: JsonObject | null;
  /** Secret variables for the command's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A run's position: the next event's number, the last event's time, and whether the run has ended. */
export interface Place {
  readonly nextSeq: number;
  readonly lastTMs: number;
  readonly ended: boolean;
}

/**
 * Inside a job, claims the job's run; otherwise finds or creates the run that the options name. Throws
 * ClaimRefused, a UsageError, or an Error if the run cannot be used. If the server is unreachable, throws
 * only if no run is named.
 */
export function findTarget(options: PipeOptions, signal: AbortSignal): Promise<Target> {
  const job = readRunnerEnvironment();
  return job ? claimTarget(job, options, signal) : openRun(options);
}

async function claimTarget(
  job: RunnerEnvironment,
  { run, url, token }: PipeOptions,
  signal: AbortSignal,
): Promise<Target> {
  if (run !== undefined || url !== undefined || token !== undefined) {
    throw new UsageError('inside a job, --run, --url and --token are set by the job: leave them out');
  }
  const graphql = `${job.apiBase}/graphql`;
  const claim = await claimJob({ url: graphql, token: job.token, instance: job.instance, signal });
  const { runId, nextSeq, lastTMs, payload, env } = claim;
  return {
    runId,
    endpoint: { url: graphql, token: claim.token },
    place: { nextSeq, lastTMs, ended: false },
    unreachable: null,
    payload,
    env,
  };
}

async function openRun(options: PipeOptions): Promise<Target> {
  const endpoint = await readEndpoint(options);
  const target = { endpoint, payload: null, env: {}, unreachable: null };
  const { run } = options;
  if (run === undefined) {
    const created = await createRun(endpoint, options);
    tell(`created run ${created.id}`);
    return { ...target, runId: created.id, place: created };
  }
  try {
    const found = (await findRun(endpoint, run)) ?? (await createRun(endpoint, options));
    if (found.job)
      throw new Error(`run ${run} has a job, and only its runner may send events: use another run`);
    return { ...target, runId: run, place: found };
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return { ...target, runId: run, place: null, unreachable: error };
  }
}

const foundRun = z.object({
  id: z.string(),
  nextSeq: z.number(),
  lastTMs: z.number(),
  ended: z.boolean(),
  job: z.object({}).nullable(),
});

type FoundRun = z.infer<typeof foundRun>;

const FIELDS = 'id nextSeq lastTMs ended job { status }';

async function findRun(endpoint: Endpoint, id: string): Promise<FoundRun | null> {
  const query = `query ($id: ID!) { run(id: $id) { ${FIELDS} } }`;
  return (await request(endpoint, found, query, { id })).run;
}

const found = z.object({ run: foundRun.nullable() });
const createdRun = z.object({ run: foundRun, message: z.undefined().optional() });
const refusal = z.object({ message: z.string(), run: z.undefined().optional() });
const created = z.object({ createRun: z.union([createdRun, refusal]) });

const CREATE_RUN = `mutation ($input: CreateRunInput!) {
  createRun(input: $input) {
    ... on CreateRunSuccess { run { ${FIELDS} } }
    ... on Error { message }
  }
}`;

async function createRun(endpoint: Endpoint, { run: id, provider, title }: PipeOptions): Promise<FoundRun> {
  const input = { id, provider, title, ...(provider === 'anthropic' && { runtime: 'managed' }) };
  const { createRun } = await request(endpoint, created, CREATE_RUN, { input });
  const { run, message } = createRun;
  if (!run) throw new Error(`the run was not created: ${message}`);
  return run;
}
