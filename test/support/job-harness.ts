import { randomUUID } from 'node:crypto';
import { createRunTokens } from '../../src/auth/tokens.ts';
import type { RunnersConfig } from '../../src/config/runners.ts';
import type { ProviderRuntimeKind } from '../../src/contract/jobs.ts';
import { createIngest, type Ingest } from '../../src/ingest/ingest.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import type { JobLimits } from '../../src/jobs/reconcile/limits.ts';
import type { JobRequest } from '../../src/jobs/start.ts';
import { createKeyring } from '../../src/lib/secrets/keyring.ts';
import type { JobRecord } from '../../src/store/jobs.ts';
import type { Store, StoredEvent } from '../../src/store/store.ts';
import type { Substrate } from '../../src/substrates/substrate.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import type { TestDatabase } from './databases.ts';
import { createFakeSubstrates, type FakeSubstrates } from './fake-substrate.ts';
import { releaseAfterwards } from './releases.ts';
import { eventually } from './runs.ts';

/** Limits that are short enough for tests and relate to one another like the real ones. */
export const SHORT_LIMITS: JobLimits = {
  leaseMs: 1_000,
  abandonedMs: 300,
  maxSteps: 16,
  stepMs: 10_000,
  pollMs: 20,
  provisionMs: 300,
  graceMs: 100,
  maxGraceMs: 5_000,
  afterRunMs: 200,
  quietMs: 150,
  maxQuietMs: 2_000,
  missingLooks: 3,
  vanishedLooks: 20,
  hostLostLooks: 5,
  backoffMs: 5,
  maxBackoffMs: 20,
  statsMs: 200,
  sweepMs: 40,
  sweepGraceMs: 0,
};

const SECRET = new Uint8Array(32).fill(7);

/** One runner for every provider, with a secret. */
export const DEMO_RUNNERS: RunnersConfig = {
  runners: [
    {
      name: 'demo',
      substrate: 'process',
      providers: ['openai', 'anthropic', 'gemini', 'mistral', 'deepseek'],
      image: null,
      command: ['demo'],
      env: {},
      secrets: { MODEL_KEY: 'sk-model-key-4711' },
      regions: ['local'],
      resources: null,
      maxRunDurationMs: 3_600_000,
    },
  ],
  providers: {},
  mcpBase: null,
  substrates: {},
  substrateSecrets: [],
};

/** Logged lines as text. */
export type LogLines = string[];

/** The jobs of one server process. */
export interface JobsProcess {
  readonly jobs: Jobs;
  readonly ingest: Ingest;
  readonly store: Store;
  readonly log: LogLines;
  /** Closes the jobs as a clean shutdown does. The store stays open. */
  close(): Promise<void>;
}

/** Deviations from the defaults of a process's jobs. */
export interface ProcessOptions {
  readonly limits?: Partial<JobLimits>;
  readonly sweep?: 'remove' | 'dry-run' | 'off';
  readonly runners?: RunnersConfig;
  /** True if the process does not look after jobs. Defaults to false. */
  readonly idle?: boolean;
}

/** Opens the jobs of a process over a store and substrates. They are closed after the test. */
export async function openJobs(
  store: Store,
  substrates: Substrate | readonly Substrate[],
  { limits = {}, sweep = 'off', runners = DEMO_RUNNERS, idle = false }: ProcessOptions = {},
): Promise<JobsProcess> {
  const log: LogLines = [];
  const wakeups = createLocalPlane();
  const ingest = createIngest(store, wakeups);
  const keyring = createKeyring([SECRET]);
  const tell = (fields: object, message: string) => {
    log.push(
      `${message} ${JSON.stringify(fields, (_key, value) => (value instanceof Error ? String(value.stack) : value))}`,
    );
  };
  const list = Array.isArray(substrates) ? (substrates as readonly Substrate[]) : [substrates as Substrate];
  const opened = new Map<ProviderRuntimeKind, { substrate: Substrate; imageOf: () => string }>(
    list.map((substrate) => [substrate.kind, { substrate, imageOf: () => 'demo@sha256:0' }]),
  );
  const jobs = await createJobs({
    store,
    ingest,
    wakeups,
    keyring,
    tokens: createRunTokens(keyring),
    config: runners,
    substrates: opened,
    apiBase: () => 'http://127.0.0.1:1',
    sweep,
    patienceMs: 1_000,
    log: { warn: tell, error: tell },
    limits: { ...SHORT_LIMITS, ...limits },
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= jobs.close().then(() => ingest.close());
    return closed;
  };
  releaseAfterwards(close);
  if (!idle) jobs.lookAfter();
  return { jobs, ingest, store, log, close };
}

/** Returns a request for a job of a run that no other test uses. */
export function jobRequest(changes: Partial<JobRequest> = {}): JobRequest {
  return {
    workspace: 'default',
    runId: randomUUID(),
    provider: 'openai',
    runtime: 'managed',
    runner: null,
    title: null,
    labels: '{}',
    payload: null,
    maxRunDurationMs: null,
    region: null,
    resources: null,
    ...changes,
  };
}

/** Starts a job and returns its run's key and id. */
export async function startJob(
  { jobs }: JobsProcess,
  changes: Partial<JobRequest> = {},
): Promise<{ readonly run: number; readonly runId: string }> {
  const { run } = await jobs.start(jobRequest(changes));
  return { run: run.key, runId: run.id };
}

/** Reads the stored job of a run. */
export async function readJob({ store }: JobsProcess, run: number): Promise<JobRecord> {
  const reading = (await store.jobs.read([run])).get(run);
  if (!reading) throw new Error(`run ${run} has no job`);
  return reading.job;
}

/** Waits until the stored job meets the condition, and returns it. */
export async function jobWhen(
  process: JobsProcess,
  run: number,
  wished: (job: JobRecord) => boolean,
): Promise<JobRecord> {
  let job = await readJob(process, run);
  await eventually(async () => {
    job = await readJob(process, run);
    return wished(job);
  }).catch((cause: unknown) => {
    throw new Error(`timed out: the job is still ${JSON.stringify(job)}`, { cause });
  });
  return job;
}

export const isRunning = ({ status }: JobRecord) => status === 'running';
export const hasEnded = ({ status }: JobRecord) => status === 'terminated' || status === 'failed';
/** Returns true if the job is settled: its run has a terminal event and nothing is left to do. */
export const isSettled = ({ settledAt, leaseOwner }: JobRecord) => settledAt !== null && leaseOwner === null;

/** Reads every event of a run. */
export async function eventsOf({ store }: JobsProcess, run: number): Promise<readonly StoredEvent[]> {
  const page = await store.readPage(run, -1, { maxEvents: 1_000, maxBytes: 2 ** 24 });
  return page?.events ?? [];
}

/** Reads the data of a run's only terminal event. */
export async function terminalOf(process: JobsProcess, run: number): Promise<Record<string, unknown>> {
  const terminals = (await eventsOf(process, run)).filter(({ kind }) => kind === 'runtime_terminal');
  if (terminals.length !== 1) throw new Error(`the run has ${terminals.length} terminal events`);
  return JSON.parse(terminals[0]!.data) as Record<string, unknown>;
}

/** Claims the job as this instance. Also returns a function that sends events as this instance. */
export async function claim(
  process: JobsProcess,
  { run, runId }: { run: number; runId: string },
  instance = 'one',
) {
  const runner = {
    kind: 'runner',
    workspace: 'default',
    runId,
    right: { may: 'claim' },
    expiresAt: 0,
  } as const;
  const claimed = await process.jobs.claim(run, runner, instance);
  const send = (seq: number, kind: StoredEvent['kind'] = 'assistant_text', data = '{"text":"hello"}') =>
    process.ingest.append(
      { key: run, workspace: 'default' },
      { previousSeq: null, claimer: instance, events: [{ seq, tMs: seq, kind, data }] },
    );
  return { claimed, send };
}

type FakeOptions = NonNullable<Parameters<typeof createFakeSubstrates>[0]>;

/** Creates fake substrates that are closed after the test. */
export function fakes(options: FakeOptions = {}): FakeSubstrates {
  const fake = createFakeSubstrates(options);
  releaseAfterwards(() => fake.close());
  return fake;
}

/** Opens one process on a separate store. */
export async function oneProcess(database: TestDatabase, fake = fakes(), options: ProcessOptions = {}) {
  const store = await database.open();
  return { fake, process: await openJobs(store, fake.open(), options) };
}

/** Starts a job and waits until it runs. */
export async function runningJob(process: JobsProcess, request: Parameters<typeof startJob>[1] = {}) {
  const started = await startJob(process, request);
  await jobWhen(process, started.run, isRunning);
  return started;
}

/** Returns the recorded calls of one method. */
export const callsOf = (fake: FakeSubstrates, wanted: string) =>
  fake.calls.filter(({ method }) => method === wanted);
