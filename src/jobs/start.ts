import type { RunnerConfig } from '../config/runners.ts';
import type { JsonObject } from '../contract/events.ts';
import { RunnerRuntimeNotImplementedError, type RunProvider, type RunRuntime } from '../contract/jobs.ts';
import { type CreatedRun, createRun, RunConflict } from '../runs/create.ts';
import type { JobRecord, JobStore, NewJob } from '../store/jobs.ts';
import type { RunRecord, Store } from '../store/store.ts';
import type { Substrate } from '../substrates/substrate.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { JobBeyondLimits, JobRefused } from './refusals.ts';
import type { PayloadSafe } from './spec/payload.ts';
import type { Specs } from './spec/specs.ts';

/** What a caller may choose for a job. If a limit is null, the runner's own applies. */
export interface JobRequest {
  readonly workspace: string;
  readonly runId: string;
  readonly provider: RunProvider;
  readonly runtime: RunRuntime;
  readonly runner: string | null;
  readonly title: string | null;
  /** JSON text. */
  readonly labels: string;
  readonly payload: JsonObject | null;
  readonly maxRunDurationMs: number | null;
  readonly region: string | null;
  readonly resources: { readonly cpus: number; readonly memoryMb: number } | null;
}

/** A requested job, and what this request created. */
export interface JobStarted {
  readonly job: JobRecord;
  readonly run: RunRecord;
  readonly runCreated: boolean;
  readonly jobCreated: boolean;
}

/** What {@link startJob} works with. */
export interface StartTools {
  readonly store: Store;
  readonly wakeups: WakeupPlane;
  readonly specs: Specs;
  readonly safe: PayloadSafe;
  /** Returns a runner's substrate and the image name by which that substrate knows the runner. */
  readonly substrateOf: (runner: RunnerConfig) => { readonly substrate: Substrate; readonly image: string };
  /** Why no runners are available. Null if nothing is missing for them. */
  readonly noRunners: string | null;
}

/**
 * Records that a run needs a job; the reconciler does the rest. A repeated request returns the existing job.
 * Throws {@link JobRefused} and {@link JobBeyondLimits}.
 */
export async function startJob(tools: StartTools, request: JobRequest): Promise<JobStarted> {
  const { store, safe } = tools;
  if (request.runtime === 'native') {
    const message = `${request.provider} runs this agent itself: pass \`runtime: managed\` to start a job`;
    throw new JobRefused('native_run_has_no_job', message);
  }
  const runner = chooseRunner(tools, request);
  checkLimits(runner, request);
  const { run, created } = await runOf(tools, request);
  const spec = specOf(runner, request);
  const before = await sameJob(store.jobs, safe, run, spec);
  if (before) return { job: before, run, runCreated: created, jobCreated: false };
  const jobCreated = await store.jobs.create(newJob(tools, run, runner, request, safe.hash(spec)));
  const job = await sameJob(store.jobs, safe, run, spec);
  // The store refuses a job only to a run that has ended.
  if (!job) throw new JobRefused('run_terminated', 'the run has ended: create a new run to try again');
  return { job, run, runCreated: created, jobCreated };
}

async function runOf(tools: StartTools, request: JobRequest): Promise<CreatedRun> {
  const { workspace, runId, provider, runtime, title, labels } = request;
  try {
    return await createRun(tools, { workspace, id: runId, provider, runtime, title, labels });
  } catch (error) {
    throw error instanceof RunConflict ? new JobRefused('run_conflict', error.message) : error;
  }
}

function chooseRunner({ specs, noRunners }: StartTools, { provider, runner }: JobRequest): RunnerConfig {
  if (noRunners !== null) throw new JobRefused('runner_runtime_not_implemented', noRunners);
  try {
    return specs.choose(provider, runner);
  } catch (error) {
    if (!(error instanceof RunnerRuntimeNotImplementedError)) throw error;
    const message =
      runner === null
        ? error.message
        : `No runner of this name supports provider "${provider}": server { runners } lists all runners.`;
    throw new JobRefused('runner_runtime_not_implemented', message);
  }
}

function checkLimits(runner: RunnerConfig, { region, maxRunDurationMs, resources }: JobRequest): void {
  if (region !== null && !runner.regions.includes(region)) {
    throw new JobBeyondLimits(
      'region',
      `must be one of ${runner.regions.join(', ')} for runner ${runner.name}`,
    );
  }
  if (maxRunDurationMs !== null && maxRunDurationMs > runner.maxRunDurationMs) {
    const message = `must be at most ${runner.maxRunDurationMs} for runner ${runner.name}`;
    throw new JobBeyondLimits('maxRunDurationMs', message);
  }
  const most = runner.resources;
  if (resources && most && (resources.cpus > most.cpus || resources.memoryMb > most.memoryMb)) {
    const message = `must be at most ${most.cpus} cpus and ${most.memoryMb} MB for runner ${runner.name}`;
    throw new JobBeyondLimits('resources', message);
  }
}

/** Returns what the caller requested, to compare two requests. Configured values may change in between. */
function specOf(runner: RunnerConfig, request: JobRequest): JsonObject {
  const { provider, runtime, payload, maxRunDurationMs, region, resources } = request;
  return {
    provider,
    runtime,
    runner: runner.name,
    payload,
    maxRunDurationMs,
    region,
    resources: resources && { ...resources },
  };
}

async function sameJob(
  jobs: JobStore,
  safe: PayloadSafe,
  run: RunRecord,
  spec: JsonObject,
): Promise<JobRecord | null> {
  const job = (await jobs.read([run.key])).get(run.key)?.job ?? null;
  if (job && !safe.isHashOf(job.specHash, spec)) {
    throw new JobRefused(
      'job_conflict',
      `run ${run.id} already has a job with another spec: create a new run to try again`,
    );
  }
  return job;
}

function newJob(
  { safe, substrateOf }: StartTools,
  run: RunRecord,
  runner: RunnerConfig,
  { payload, region, maxRunDurationMs, resources }: JobRequest,
  specHash: string,
): NewJob {
  const { substrate, image } = substrateOf(runner);
  const size = resources ?? runner.resources;
  const place = { workspace: run.workspace, runId: run.id };
  return {
    run: run.key,
    substrate: substrate.kind,
    host: substrate.host,
    runner: runner.name,
    image,
    region: region ?? runner.regions[0],
    cpus: size?.cpus ?? null,
    memoryMb: size?.memoryMb ?? null,
    maxRunDurationMs: maxRunDurationMs ?? runner.maxRunDurationMs,
    specHash,
    payload: payload === null ? null : safe.seal(payload, place),
  };
}
