import type { ProviderRuntimeJobStatus, ProviderRuntimeKind, RunProvider } from '../contract/jobs.ts';

/** What a job should be doing, as decided by callers or the clock. A wish to stop is never withdrawn. */
export const JOB_WISHES = ['run', 'stop'] as const;

/** One of {@link JOB_WISHES}. */
export type JobWish = (typeof JOB_WISHES)[number];

/** Why a job should stop: on request, at its deadline, after its run ended, or because it did not start. */
export type StopReason = 'requested' | 'deadline' | 'run_ended' | 'provisioning';

/** The fixed part of a job. Durations and times are milliseconds. */
export interface NewJob {
  readonly run: number;
  readonly substrate: ProviderRuntimeKind;
  /** The only machine that can manage the job. Null if any machine can. */
  readonly host: string | null;
  readonly runner: string;
  readonly image: string;
  readonly region: string;
  readonly cpus: number | null;
  readonly memoryMb: number | null;
  readonly maxRunDurationMs: number;
  readonly specHash: string;
  /** Encrypted. */
  readonly payload: string | null;
}

/** The part of a job that changes. Times are Unix milliseconds by the database's clock. */
export interface JobState {
  readonly status: ProviderRuntimeJobStatus;
  /** The region in which the job really runs. */
  readonly region: string;
  readonly wish: JobWish;
  readonly stopReason: StopReason | null;
  readonly stopAskedAt: number | null;
  /** When to kill the job if it has not stopped. */
  readonly killAt: number | null;
  /** When the substrate was first asked to start the job. Something may exist there since then. */
  readonly startAskedAt: number | null;
  /** With `machineId` the substrate's handle for the job. Both are set together. */
  readonly appName: string | null;
  readonly machineId: string | null;
  readonly claimInstance: string | null;
  readonly claimedAt: number | null;
  readonly errorClass: string | null;
  readonly errorMessage: string | null;
  readonly exitCode: number | null;
  /** `ResourceStats` as JSON text. */
  readonly stats: string | null;
  readonly statsAt: number | null;
  readonly provisionedAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** When nothing was left to do: the run has its terminal event, the substrate has nothing of the job. */
  readonly settledAt: number | null;
  /** The number of checks or calls that failed in a row. */
  readonly failures: number;
  readonly nextStepAt: number;
  /** How long the job had had its status at {@link JobState.lookedAt}, counted while a process managed it. */
  readonly statusMs: number;
  readonly lookedAt: number;
}

/** A stored job, with the fields of its run that managing it needs. */
export interface JobRecord extends NewJob, JobState {
  readonly workspace: string;
  readonly runId: string;
  readonly provider: RunProvider;
  readonly createdAt: number;
  /** When the run's terminal event was stored, by the clock of the process that stored it. */
  readonly runEndedAt: number | null;
  readonly leaseOwner: string | null;
  readonly leaseUntil: number | null;
  /** Incremented by every change. */
  readonly version: number;
}

/** A job, and the database's clock when it was read. */
export interface JobReading {
  readonly job: JobRecord;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Which jobs a process can manage. */
export interface LeaseRequest {
  /** The process. */
  readonly owner: string;
  readonly leaseMs: number;
  /** The machine of the process. */
  readonly host: string;
  /** Jobs of another machine that have been due for longer than this are leased as well, to be given up. */
  readonly abandonedMs: number;
  /** Those of the process's substrates that may be called now. */
  readonly substrates: readonly ProviderRuntimeKind[];
  /**
   * All substrates of the process. Jobs on other substrates that have been due for longer than `abandonedMs`
   * are leased as well, to be given up.
   */
  readonly known: readonly ProviderRuntimeKind[];
  readonly limit: number;
}

/** Which jobs {@link JobStore.nextDue} considers. */
export type DueRequest = Pick<LeaseRequest, 'host' | 'abandonedMs' | 'substrates' | 'known'>;

/** A job whose step is done. */
export interface GivenBack {
  readonly run: number;
  /** The version that was read or written last. If the job has changed since, the stored values are kept. */
  readonly version: number;
  /** Milliseconds until the job is due again. */
  readonly dueIn: number;
  readonly failures: number;
  /** The new values for the job's state; see {@link JobState}. */
  readonly statusMs: number;
  readonly lookedAt: number;
}

/** When the next job can be leased. */
export interface NextDue {
  /** Milliseconds from now. Null if no job is waiting. */
  readonly dueIn: number | null;
  /** The database's clock, in Unix milliseconds. */
  readonly now: number;
}

/**
 * Stores jobs. Every change of state is compared with the version that was read. Throws `StoreUnavailable`
 * for a fault of the database.
 */
export interface JobStore {
  /**
   * Creates the run's job and closes the run's log to all senders but a future claimer, in one durable
   * commit. Returns false if the run already has a job or has ended.
   */
  create(job: NewJob): Promise<boolean>;
  /** Returns the jobs that exist, by run. */
  read(runs: readonly number[]): Promise<ReadonlyMap<number, JobReading>>;
  /** Writes a job's state. Returns false if the job has changed since that version. */
  save(run: number, version: number, state: JobState): Promise<boolean>;
  /** Does the same and opens the run's log to the state's `claimInstance`, in one durable commit. */
  saveClaim(run: number, version: number, state: JobState): Promise<boolean>;
  /** Leases due jobs to one process, the longest due first. Other processes get them when the lease ends. */
  lease(request: LeaseRequest): Promise<readonly JobReading[]>;
  /** Extends this owner's leases on these runs to `leaseMs` from now. */
  renew(owner: string, runs: readonly number[], leaseMs: number): Promise<void>;
  /** Ends the owner's leases on these jobs early, all in one commit. Skips jobs that the owner has lost. */
  giveBack(owner: string, jobs: readonly GivenBack[]): Promise<void>;
  /** Returns when the next job can be leased. */
  nextDue(request: DueRequest): Promise<NextDue>;
  /**
   * Repairs jobs after the database's clock was set back: jobs last checked in its future become due now, and
   * leases are shortened to `leaseMs`. Changes nothing else.
   */
  recall(leaseMs: number): Promise<void>;
}
