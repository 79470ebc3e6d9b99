import type {
  ProviderRuntimeKind,
  RunnerJobExecutor,
  RunnerJobHandle,
  RunnerJobSpec,
  RunnerJobStatusSnapshot,
} from '../contract/jobs.ts';
import type { JobErrorClass } from './errors.ts';

/** The contract's job spec, with what runfeed itself adds. */
export interface JobSpec extends RunnerJobSpec {
  /**
   * Distinguishes two specs of one run without revealing their content. Stored with the object if the
   * substrate has a place for it.
   */
  readonly specHash: string;
  /** Environment values that must never be shown or logged. A substrate may echo a value that it rejects. */
  readonly secrets: readonly string[];
}

/** What a substrate reports about a job at one moment: the contract's snapshot and more. */
export interface JobObservation extends RunnerJobStatusSnapshot {
  readonly terminalErrorClass?: JobErrorClass;
  /** Exit code of the main process, once it has ended and the substrate reports it. */
  readonly exitCode?: number;
  /**
   * The substrate found nothing under this handle. That proves nothing, because lists and look-ups of
   * substrates lag: callers must count repeats. `status` is meaningless then.
   */
  readonly missing?: boolean;
  /** The actual region, if it can differ from the requested one. */
  readonly region?: string;
}

/** An object on a substrate that carries runfeed's mark. */
export interface FoundObject {
  readonly handle: RunnerJobHandle;
  readonly workspaceId: string;
  readonly runId: string;
  /** Unix milliseconds by the substrate's clock. */
  readonly createdAt: number;
  /**
   * Set if an object that our database does not know must be left alone: it is ours only if our job of the run
   * has this `specHash`. Null if it is ours.
   */
  readonly ownedIfHash: string | null;
}

/** The end of a job's output. */
export interface LogTail {
  readonly bytes: Buffer;
  /** Index of the first byte to show. The bytes before it help to find a secret that this index splits. */
  readonly from: number;
}

/** One substrate. Every call has a time limit and throws {@link SubstrateError} if it fails. */
export interface Substrate extends RunnerJobExecutor {
  readonly kind: ProviderRuntimeKind;
  /**
   * The machine on which the jobs of this substrate must be managed, since a process can only be managed on
   * its own machine. Null if every machine can manage them.
   */
  readonly host: string | null;
  /** True if others can read a job's environment there: then only `claimJob` hands out secrets. */
  readonly showsEnvironment: boolean;
  /** Time between two status checks of a job, in milliseconds. */
  readonly pollMs: number;
  /** How long to keep what an ended job left, such as its log, in milliseconds. */
  readonly keepEndedMs: number;
  /** True if runners claim with their handle's `machineId`: that identifies the real one of two machines. */
  readonly machineClaims: boolean;
  start(spec: JobSpec): Promise<RunnerJobHandle>;
  getStatus(handle: RunnerJobHandle): Promise<JobObservation>;
  /** Finds what exists under a run's name and creates nothing. For a stop while a start is unresolved. */
  find(run: Pick<JobSpec, 'workspaceId' | 'runId' | 'specHash'>): Promise<readonly RunnerJobHandle[]>;
  /** Lists every object that carries runfeed's mark, for the orphan sweep. May be incomplete. */
  list(): Promise<readonly FoundObject[]>;
  /**
   * Removes what an ended job left on the substrate, once its verdict is stored. Kills what still runs first.
   * Idempotent. Afterwards `start` with the same run may no longer find it.
   */
  remove(handle: RunnerJobHandle): Promise<void>;
  /**
   * Returns the newest lines of the job's output unredacted, with its secrets. At least `marginBytes` bytes
   * precede them, if that many exist. Null if no output is available.
   */
  logTail?(handle: RunnerJobHandle, lines: number, marginBytes: number): Promise<LogTail | null>;
  close(): Promise<void>;
}

/** Returns a tail that shows the bytes from `from` on and keeps at most `marginBytes` before them. */
export function tailOf(bytes: Buffer, from: number, marginBytes: number): LogTail {
  const start = Math.max(0, from - marginBytes);
  return { bytes: bytes.subarray(start), from: from - start };
}

/** Returns the part of a tail to show, as text. */
export function shownOf(tail: LogTail | null): string | null {
  return tail === null ? null : tail.bytes.toString('utf8', tail.from);
}

/** Receives what goes wrong with jobs. Structurally a pino logger. */
export interface JobLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
