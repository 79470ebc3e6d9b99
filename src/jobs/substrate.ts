import type {
  ProviderRuntimeKind,
  RunnerJobExecutor,
  RunnerJobHandle,
  RunnerJobSpec,
  RunnerJobStatusSnapshot,
} from '../contract/jobs.ts';
import type { JobErrorClass } from './errors.ts';

/** A spec as our own jobs have it. */
export interface JobSpec extends RunnerJobSpec {
  /** Tells two specs of one run apart without showing what is in them. Kept with the object, where there is a place. */
  readonly specHash: string;
  /** What of the environment must not be shown, told or logged: a rejected value may be echoed. */
  readonly secrets: readonly string[];
}

/** What a substrate says about a job at one moment, with what the contract's snapshot has no place for. */
export interface JobObservation extends RunnerJobStatusSnapshot {
  readonly terminalErrorClass?: JobErrorClass;
  /** Of the main process, once it has ended and the substrate tells. */
  readonly exitCode?: number;
  /**
   * There is nothing under this handle: not proof that there never will be again, since substrates' lists and look-ups
   * lag. Whoever asks counts. The status is then of no account.
   */
  readonly missing?: boolean;
  /** Where it really runs, if that can be another region than was asked for. */
  readonly region?: string;
}

/** An object on a substrate that carries our mark. */
export interface FoundObject {
  readonly handle: RunnerJobHandle;
  readonly workspaceId: string;
  readonly runId: string;
  /** Unix milliseconds by the substrate's clock. */
  readonly createdAt: number;
  /** Where it may be another server's: it is ours if our job of the run has this `specHash`. Null: it is ours. */
  readonly ownedIfHash: string | null;
}

/** The end of what a job printed. */
export interface LogTail {
  readonly bytes: Buffer;
  /** Where the part to show begins. What comes before serves to find a secret that this place divides. */
  readonly from: number;
}

/** One substrate. Every call is bounded in time and throws {@link SubstrateError} for what the substrate did not do. */
export interface Substrate extends RunnerJobExecutor {
  readonly kind: ProviderRuntimeKind;
  /**
   * Where the jobs of this process's substrate can be reached from; null: from everywhere. A process can only be looked
   * after on its own machine.
   */
  readonly host: string | null;
  /** Whether others can read a job's environment there: then secrets are handed out by `claimJob` alone. */
  readonly showsEnvironment: boolean;
  /** How often a job may be looked at, in milliseconds. */
  readonly pollMs: number;
  /** For how long what an ended job left is of use, as its log is, in milliseconds. */
  readonly keepEndedMs: number;
  /** Whether the instance that a runner claims with is its handle's `machineId`: then that tells the real one of two. */
  readonly machineClaims: boolean;
  start(spec: JobSpec): Promise<RunnerJobHandle>;
  getStatus(handle: RunnerJobHandle): Promise<JobObservation>;
  /** What is there under this run's name, without making it: for a stop that comes while a start's outcome is unknown. */
  find(run: Pick<JobSpec, 'workspaceId' | 'runId' | 'specHash'>): Promise<readonly RunnerJobHandle[]>;
  /** Everything that carries our mark, for the sweep of what belongs to no job. May be incomplete. */
  list(): Promise<readonly FoundObject[]>;
  /**
   * Lets go of what an ended job left on the substrate, once its verdict is stored; what still runs is killed first.
   * Idempotent. Afterwards `start` with the same run may not find it any more.
   */
  remove(handle: RunnerJobHandle): Promise<void>;
  /**
   * The newest lines that the job printed, as they are: secrets are in them. Before them come at least `marginBytes`
   * if there are as many. Null: there are none to be had.
   */
  logTail?(handle: RunnerJobHandle, lines: number, marginBytes: number): Promise<LogTail | null>;
  close(): Promise<void>;
}

/** The bytes from `from` on as the part to show, with no more before them than the margin. */
export function tailOf(bytes: Buffer, from: number, marginBytes: number): LogTail {
  const start = Math.max(0, from - marginBytes);
  return { bytes: bytes.subarray(start), from: from - start };
}

/** The part of a tail to show. */
export function shownOf(tail: LogTail | null): string | null {
  return tail === null ? null : tail.bytes.toString('utf8', tail.from);
}
