/** Who provides the model that a run talks to. */
export const RUN_PROVIDERS = ['anthropic', 'deepseek', 'openai', 'gemini', 'mistral'] as const;

/** One of {@link RUN_PROVIDERS}. */
export type RunProvider = (typeof RUN_PROVIDERS)[number];

/** The substrates that a job can run on: Fly Machines, or a child process of the server's own machine. */
export const PROVIDER_RUNTIME_KINDS = ['fly', 'process'] as const;

/** One of {@link PROVIDER_RUNTIME_KINDS}. */
export type ProviderRuntimeKind = (typeof PROVIDER_RUNTIME_KINDS)[number];

/** A job's life in order. It only moves forward, steps may be skipped, and the last two are final. */
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

/** What an executor needs to start one run's runner. */
export interface RunnerJobSpec {
  readonly runId: string;
  readonly workspaceId: string;
  readonly provider: RunProvider;
  /** Pinned by digest: `name@sha256:…`. */
  readonly image: string;
  /** The runner's whole environment. May hold secrets: never to be logged. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds from the moment the job is running. */
  readonly maxRunDurationMs: number;
  readonly region: string;
  /** The substrate's own default size when absent. */
  readonly resources?: { readonly cpus: number; readonly memoryMb: number };
}

/** Where a started job is to be found. Plain strings, so that it goes through a database and back unchanged. */
export interface RunnerJobHandle {
  readonly appName: string;
  readonly machineId: string;
}

/** What a job uses; a figure that the substrate does not give is absent. Network figures count from the start. */
export interface ResourceStats {
  /** 100 is one core kept busy. */
  readonly cpuPercent?: number;
  readonly memoryMb?: number;
  readonly networkRxBytes?: number;
  readonly networkTxBytes?: number;
}

/** What a substrate says about a job at one moment. */
export interface RunnerJobStatusSnapshot {
  readonly status: ProviderRuntimeJobStatus;
  /** For programs, such as `oom_killed`; always there when the status is `failed`. */
  readonly terminalErrorClass?: string;
  /** For people; holds no secrets. */
  readonly terminalErrorMessage?: string;
  readonly resourceStats?: ResourceStats;
}

/** One substrate's way to run jobs. */
export interface RunnerJobExecutor {
  /** Idempotent by `spec.runId`: the same handle again, also after a crash right behind the first call. */
  start(spec: RunnerJobSpec): Promise<RunnerJobHandle>;
  getStatus(handle: RunnerJobHandle): Promise<RunnerJobStatusSnapshot>;
  /** Idempotent. `graceMs` bounds the time between SIGTERM and SIGKILL; the substrate's default when absent. */
  stop(handle: RunnerJobHandle, options?: { readonly graceMs?: number }): Promise<void>;
  /** The newest lines, as good as the substrate gives them; null when there are none to be had. */
  tailLogs?(handle: RunnerJobHandle, lines?: number): Promise<string | null>;
  /** Where a person can look at the job. */
  getConsoleUrl?(handle: RunnerJobHandle): string;
}

/** A job was asked for with a provider for which no runner is configured. */
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
