import { claimJob } from '../../client/claim.ts';
import { type RunnerEnvironment, readRunnerEnvironment } from '../../config/runner-env.ts';
import type { JsonObject } from '../../contract/events.ts';
import { type Endpoint, readEndpoint } from '../endpoint.ts';
import { request, Unreachable } from '../request.ts';
import { UsageError } from '../usage-error.ts';
import type { PipeOptions } from './options.ts';

/** The run to report to. */
export interface Target {
  readonly runId: string;
  readonly endpoint: Endpoint;
  /** How far the run is; null: the server cannot be reached to ask. */
  readonly place: Place | null;
  /** What the command is to do, when this is a job's runner. */
  readonly payload: JsonObject | null;
  /** Variables for the command that nobody else may see. */
  readonly env: Readonly<Record<string, string>>;
}

/** How far a run is. */
export interface Place {
  readonly nextSeq: number;
  readonly lastTMs: number;
  readonly ended: boolean;
}

/** The job's run, claimed, or the one that the options name. Throws ClaimRefused, or what else stands against it. */
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
    throw new UsageError('inside a job --run, --url and --token are the job’s: leave them out');
  }
  const graphql = `${job.apiBase}/graphql`;
  const claim = await claimJob({ url: graphql, token: job.token, instance: job.instance, signal });
  const { runId, nextSeq, lastTMs, payload, env } = claim;
  return {
    runId,
    endpoint: { url: graphql, token: claim.token },
    place: { nextSeq, lastTMs, ended: false },
    payload,
    env,
  };
}

async function openRun(options: PipeOptions): Promise<Target> {
  const endpoint = await readEndpoint(options);
  const target = { endpoint, payload: null, env: {} };
  const { run } = options;
  if (run === undefined) {
    const created = await createRun(endpoint, options);
    process.stderr.write(`runfeed: the run is ${created.id}\n`);
    return { ...target, runId: created.id, place: created };
  }
  try {
    const found = (await findRun(endpoint, run)) ?? (await createRun(endpoint, options));
    if (found.job) throw new Error(`run ${run} has a job: only that job's runner sends its events`);
    return { ...target, runId: run, place: found };
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return { ...target, runId: run, place: null };
  }
}

interface FoundRun extends Place {
  readonly id: string;
  readonly job: object | null;
}

const FIELDS = 'id nextSeq lastTMs ended job { status }';

async function findRun(endpoint: Endpoint, id: string): Promise<FoundRun | null> {
  const { run } = await request(endpoint, `query ($id: ID!) { run(id: $id) { ${FIELDS} } }`, { id });
  return run as FoundRun | null;
}

const CREATE_RUN = `mutation ($input: CreateRunInput!) {
  createRun(input: $input) {
    ... on CreateRunSuccess { run { ${FIELDS} } }
    ... on Error { message }
  }
}`;

async function createRun(endpoint: Endpoint, { run: id, provider, title }: PipeOptions): Promise<FoundRun> {
  const input = { id, provider, title, ...(provider === 'anthropic' && { runtime: 'managed' }) };
  const { createRun } = await request(endpoint, CREATE_RUN, { input });
  const { run, message } = createRun as { readonly run?: FoundRun; readonly message?: string };
  if (!run) throw new Error(`the run was not made: ${message}`);
  return run;
}
