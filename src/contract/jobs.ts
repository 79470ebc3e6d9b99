/** The providers of the models that runs use. */
export const RUN_PROVIDERS = ['anthropic', 'deepseek', 'openai', 'gemini', 'mistral'] as const;

/** One of {@link RUN_PROVIDERS}. */
export type RunProvider = (typeof RUN_PROVIDERS)[number];

/** Who runs a run's agent: its provider (`native`), or a runner in a job (`managed`). */
export const RUN_RUNTIMES = ['native', 'managed'] as const;

/** One of {@link RUN_RUNTIMES}. */
export type RunRuntime = (typeof RUN_RUNTIMES)[number];

/** The substrates that a job can run on: Fly Machines, or processes on the server's machine. */
export const PROVIDER_RUNTIME_KINDS = ['fly', 'process'] as const;

/** One of {@link PROVIDER_RUNTIME_KINDS}. */
export type ProviderRuntimeKind = (typeof PROVIDER_RUNTIME_KINDS)[number];

/** The statuses of a job in order. Jobs only move forward and may skip some; the last two are final. */
export const PROVIDER_RUNTIME_JOB_STATUSES = [
  'queued',
  'provisioning',
  'running',
  'stopping',
  'terminated',
  'failed',
] as const;

/** One of {@link PROVIDER_RUNTIME_JOB_STATUSES}. */
export type ProviderRuntimeJobStatus = (typeof PROVIDER_RUNTIME_JOB_STATUSES)[number];

/** Everything an executor needs to start the runner of one run. */
export interface RunnerJobSpec {
  readonly runId: string;
  readonly workspaceId: string;
  readonly provider: RunProvider;
  /** Pinned by digest: `name@sha256:…`. */
  readonly image: string;
  /** The complete environment of the runner. May contain secrets: never log it. */
  readonly env: Readonly<Record<string, string>>;
  /** The maximum run time in milliseconds, counted from when the job starts running. */
  readonly maxRunDurationMs: number;
  readonly region: string;
  /** Defaults to the substrate's default size. */
  readonly resources?: { readonly cpus: number; readonly memoryMb: number };
}

/** The location of a started job. Plain strings, so that a database returns the handle unchanged. */
export interface RunnerJobHandle {
  readonly appName: string;
  readonly machineId: string;
}

/**
 * The resource usage of a job. Figures that the substrate does not report are absent. Network figures count
 * from the start of the job.
 */
export interface ResourceStats {
  /** 100 is one fully used core. */
  readonly cpuPercent?: number;
  readonly memoryMb?: number;
  readonly networkRxBytes?: number;
  readonly networkTxBytes?: number;
}

/** A substrate's report about a job at one moment. */
export interface RunnerJobStatusSnapshot {
  readonly status: ProviderRuntimeJobStatus;
  /** For programs, such as `oom_killed`; always present when the status is `failed`. */
  readonly terminalErrorClass?: string;
  /** For people; contains no secrets. */
  readonly terminalErrorMessage?: string;
  readonly resourceStats?: ResourceStats;
}

/** Starts, watches and stops jobs on one substrate. */
export interface RunnerJobExecutor {
  /** Idempotent by `spec.runId`: returns the same handle again, even after a crash right after the start. */
  start(spec: RunnerJobSpec): Promise<RunnerJobHandle>;
  getStatus(handle: RunnerJobHandle): Promise<RunnerJobStatusSnapshot>;
  /** Idempotent. `graceMs` bounds the time from SIGTERM to SIGKILL; the default is the substrate's. */
  stop(handle: RunnerJobHandle, options?: { readonly graceMs?: number }): Promise<void>;
  /** The newest log lines, as far as the substrate provides them; null when none are available. */
  tailLogs?(handle: RunnerJobHandle, lines?: number): Promise<string | null>;
  /** A web page on which a person can inspect the job. */
  getConsoleUrl?(handle: RunnerJobHandle): string;
}

/** The error for a requested job whose provider has no configured runner. */
export class RunnerRuntimeNotImplementedError extends Error {
  override readonly name = 'RunnerRuntimeNotImplementedError';
  readonly provider: RunProvider;

  constructor(provider: RunProvider) {
    super(
      `No runner is configured for provider "${provider}"; configure one, or start the run with another provider.`,
    );
    this.provider = provider;
  }
}
