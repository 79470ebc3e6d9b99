import type { ProviderRuntimeJobStatus, ProviderRuntimeKind, RunProvider } from '../contract/jobs.ts';

/** What a job should be doing, as callers or the clock decided. A wish to stop is never taken back. */
export const JOB_WISHES = ['run', 'stop'] as const;

/** One of {@link JOB_WISHES}. */
export type JobWish = (typeof JOB_WISHES)[number];

/** Why a job should stop: somebody asked, its time is up, its run has ended without it, or it never came to run. */
export type StopReason = 'requested' | 'deadline' | 'run_ended' | 'provisioning';

/** What a job is made of; none of it changes. Durations and times are milliseconds. */
export interface NewJob {
  readonly run: number;
  readonly substrate: ProviderRuntimeKind;
  /** The machine on which alone it can be looked after; null: from everywhere. */
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

/** What changes in a job's life. Times are Unix milliseconds by the database's clock. */
export interface JobState {
  readonly status: ProviderRuntimeJobStatus;
  /** Where it really runs. */
  readonly region: string;
  readonly wish: JobWish;
  readonly stopReason: StopReason | null;
  readonly stopAskedAt: number | null;
  /** When a job that does not stop is to be killed. */
  readonly killAt: number | null;
  /** When the substrate was asked to start it for the first time: from then on something may be there. */
  readonly startAskedAt: number | null;
  /** The handle's two halves; set together. */
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
  /** When nothing was left to do: the run has its terminal event, and the substrate has nothing of the job. */
  readonly settledAt: number | null;
  /** How many looks or calls in a row came to nothing. */
  readonly failures: number;
  readonly nextStepAt: number;
  /** How long the job had its status at {@link JobState.lookedAt}, counted while it was looked after. */
  readonly statusMs: number;
  readonly lookedAt: number;
}

/** A job as it is stored, with what of its run belongs to it. */
export interface JobRecord extends NewJob, JobState {
  readonly workspace: string;
  readonly runId: string;
  readonly provider: RunProvider;
  readonly createdAt: number;
  /** When its run's terminal event was stored, by the clock of the process that stored it. */
  readonly runEndedAt: number | null;
  readonly leaseOwner: string | null;
  readonly leaseUntil: number | null;
  /** Counts every change. */
  readonly version: number;
}

/** A job, and the database's clock at the moment when it was read. */
export interface JobReading {
  readonly job: JobRecord;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Which jobs a process can look after. */
export interface LeaseRequest {
  /** The process. */
  readonly owner: string;
  readonly leaseMs: number;
  /** Its machine. */
  readonly host: string;
  /** Jobs of another machine that nobody has looked after for so long are taken all the same, to be given up. */
  readonly abandonedMs: number;
  /** Those of its substrates that may be called now. */
  readonly substrates: readonly ProviderRuntimeKind[];
  /** All of its substrates. Jobs of others, when nobody has looked after them for that long, are taken to be given up, too. */
  readonly known: readonly ProviderRuntimeKind[];
  readonly limit: number;
}

/** Which jobs are asked after. */
export type DueRequest = Pick<LeaseRequest, 'host' | 'abandonedMs' | 'substrates' | 'known'>;

/** A job whose step is done. */
export interface GivenBack {
  readonly run: number;
  /** What was read or written last. If something came between, the job stays due when that says. */
  readonly version: number;
  /** In how many milliseconds it is due again. */
  readonly dueIn: number;
  readonly failures: number;
  /** What the job's state says of these now; see {@link JobState}. */
  readonly statusMs: number;
  readonly lookedAt: number;
}

/** When there is something to lease. */
export interface NextDue {
  /** In how many milliseconds; null: never. */
  readonly dueIn: number | null;
  /** The database's clock, in Unix milliseconds. */
  readonly now: number;
}

/** The jobs. Every change is compared with what was read; a fault of the database is thrown as `StoreUnavailable`. */
export interface JobStore {
  /**
   * Creates the run's job, unless it has one or has ended, and closes its log to everybody but a claimer, in one
   * durable commit. Answers whether it did.
   */
  create(job: NewJob): Promise<boolean>;
  /** Those that are there, by run. */
  read(runs: readonly number[]): Promise<ReadonlyMap<number, JobReading>>;
  /** Writes a job's state, if nothing has changed since that version. Answers whether it did. */
  save(run: number, version: number, state: JobState): Promise<boolean>;
  /** The same, and opens the run's log to the instance that the state names as claimer, in one durable commit. */
  saveClaim(run: number, version: number, state: JobState): Promise<boolean>;
  /** Takes due jobs for one process, the longest due first. No other process gets them before the lease is over. */
  lease(request: LeaseRequest): Promise<readonly JobReading[]>;
  /** Makes the leases of this owner last so long from now. */
  renew(owner: string, runs: readonly number[], leaseMs: number): Promise<void>;
  /** Gives jobs back before their lease is over, those that are still the owner's, all in one commit. */
  giveBack(owner: string, jobs: readonly GivenBack[]): Promise<void>;
  nextDue(request: DueRequest): Promise<NextDue>;
  /**
   * Makes up for a clock that was set back: jobs that were looked at in its future are due now, and no lease is longer
   * than `leaseMs`. Changes nothing else.
   */
  recall(leaseMs: number): Promise<void>;
}
