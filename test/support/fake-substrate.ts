import { randomUUID } from 'node:crypto';
import type { ProviderRuntimeKind, RunnerJobHandle } from '../../src/contract/jobs.ts';
import { type JobErrorClass, SubstrateError, type SubstrateFailure } from '../../src/substrates/errors.ts';
import type { FoundObject, JobObservation, JobSpec, Substrate } from '../../src/substrates/substrate.ts';

/** A recorded call. */
export interface SubstrateCall {
  readonly method: Method;
  /** The run that the call concerned. Null if it did not concern a single run. */
  readonly runId: string | null;
  readonly graceMs?: number;
}

type Method = 'start' | 'getStatus' | 'stop' | 'find' | 'list' | 'remove' | 'logTail';

/** A job in the fake substrate. Tests may change its fields. */
export interface FakeJob {
  readonly spec: JobSpec;
  readonly handle: RunnerJobHandle;
  readonly createdAt: number;
  state: 'provisioning' | 'running' | 'ended';
  /** How the job ended. Null while it has not. */
  end: Pick<JobObservation, 'status' | 'terminalErrorClass' | 'terminalErrorMessage' | 'exitCode'> | null;
  removed: boolean;
  ignoresSigterm: boolean;
  /** Stays in `provisioning` while this is true. */
  held: boolean;
  /** The host is unreachable: the last known status is reported, and requests have no effect. */
  unreachable: boolean;
  resourceStats: JobObservation['resourceStats'];
  logs: string;
  /** The number of further calls of `getStatus`, `find` and `list` that do not see the job. */
  hidden: number;
  killTimer: NodeJS.Timeout | null;
}

interface ScriptedFault {
  readonly method: Method;
  readonly failure: ScriptedFailure;
  readonly done: boolean;
  times: number;
}

type ScriptedFailure = Pick<SubstrateFailure, 'errorClass'> & Partial<SubstrateFailure>;

/** Substrates with jobs in memory, and controls for everything that can go wrong with them. */
export interface FakeSubstrates {
  /** Opens the substrate of one server process over these jobs. */
  open(): Substrate;
  /** Every job ever created, oldest first. */
  readonly jobs: readonly FakeJob[];
  /** Returns the newest job of this run. Throws if there is none. */
  job(runId: string): FakeJob;
  readonly calls: readonly SubstrateCall[];
  /**
   * Makes the next `times` calls of this method throw. With `done` they throw after doing their work, as if
   * the answer was lost. `mend` cancels the remaining times.
   */
  fail(
    method: Method,
    failure: ScriptedFailure,
    options?: { readonly times?: number; readonly done?: boolean },
  ): void;
  mend(): void;
  /** The number of calls of `getStatus`, `find` and `list` that do not see a new job. */
  lag: number;
  /** Ends the job's main process with this exit code. */
  exit(job: FakeJob, exitCode: number, errorClass?: JobErrorClass): void;
  /** Removes the job without a trace. */
  lose(job: FakeJob): void;
  close(): void;
}

/**
 * Creates fake substrates. `behave` is called with every new job to set its behavior, and may end it at once.
 */
export function createFakeSubstrates({
  kind = 'process',
  behave = () => {},
  showsEnvironment = false,
  pollMs = 5,
}: {
  readonly kind?: ProviderRuntimeKind;
  readonly behave?: (job: FakeJob, exit: (code: number) => void) => void;
  readonly showsEnvironment?: boolean;
  readonly pollMs?: number;
} = {}): FakeSubstrates {
  const jobs: FakeJob[] = [];
  const calls: SubstrateCall[] = [];
  let faults: ScriptedFault[] = [];

  const ofRun = (run: { readonly workspaceId: string; readonly runId: string }) =>
    jobs.filter(({ spec, removed }) => !removed && isRun(spec, run));
  const under = (handle: RunnerJobHandle) =>
    jobs.find((job) => !job.removed && job.handle.machineId === handle.machineId) ?? null;
  const isSeen = (job: FakeJob) => job.hidden-- <= 0;

  function end(job: FakeJob, how: NonNullable<FakeJob['end']>): void {
    if (job.state === 'ended') return;
    clearTimeout(job.killTimer ?? undefined);
    job.state = 'ended';
    job.end = how;
  }

  function exit(job: FakeJob, exitCode: number, errorClass: JobErrorClass | null = classOf(exitCode)): void {
    const terminalErrorMessage = `exit code ${exitCode}`;
    if (errorClass === null) end(job, { status: 'terminated', exitCode });
    else end(job, { status: 'failed', exitCode, terminalErrorClass: errorClass, terminalErrorMessage });
  }

  function make(spec: JobSpec): FakeJob {
    const job: FakeJob = {
      spec,
      handle: { appName: `fake-${spec.workspaceId}`, machineId: randomUUID() },
      createdAt: Date.now(),
      state: 'provisioning',
      end: null,
      removed: false,
      ignoresSigterm: false,
      held: false,
      unreachable: false,
      resourceStats: undefined,
      logs: '',
      hidden: fake.lag,
      killTimer: null,
    };
    jobs.push(job);
    behave(job, (code) => exit(job, code));
    return job;
  }

  function stop(job: FakeJob, graceMs: number): void {
    if (job.unreachable || job.state === 'ended') return;
    const kill = () => end(job, { status: 'terminated', exitCode: 137 });
    if (graceMs < 1) kill();
    else if (!job.ignoresSigterm) end(job, { status: 'terminated', exitCode: 143 });
    else {
      clearTimeout(job.killTimer ?? undefined);
      job.killTimer = setTimeout(kill, Math.floor(graceMs));
    }
  }

  function observe(job: FakeJob): JobObservation {
    if (job.state === 'provisioning' && !job.held && !job.unreachable) job.state = 'running';
    else if (job.end) return job.end;
    const status = job.state === 'running' ? 'running' : 'provisioning';
    if (job.unreachable)
      return { status, terminalErrorClass: 'host_lost', terminalErrorMessage: 'unreachable' };
    return { status, ...(job.resourceStats && { resourceStats: job.resourceStats }) };
  }

  /** Records a call, and makes it fail if a fault was scheduled for it. */
  async function call<Value>(made: SubstrateCall, work: () => Value): Promise<Value> {
    calls.push(made);
    await Promise.resolve();
    const fault = faults.find(({ method, times }) => method === made.method && times > 0);
    if (!fault) return work();
    fault.times -= 1;
    if (fault.done) work();
    throw new SubstrateError({ message: `${made.method} fails as scheduled by the test`, ...fault.failure });
  }

  const runOf = (handle: RunnerJobHandle) => under(handle)?.spec.runId ?? null;

  function open(): Substrate {
    let closed = false;
    const unlessClosed = <Value>(made: SubstrateCall, work: () => Value): Promise<Value> => {
      if (!closed) return call(made, work);
      const message = 'the substrate is closed';
      return Promise.reject(new SubstrateError({ errorClass: 'substrate_error', message, transient: true }));
    };
    return {
      kind,
      host: null,
      showsEnvironment,
      keepEndedMs: 0,
      machineClaims: true,
      pollMs,
      start: (spec) =>
        unlessClosed({ method: 'start', runId: spec.runId }, () => (ofRun(spec)[0] ?? make(spec)).handle),
      getStatus: (handle) =>
        unlessClosed({ method: 'getStatus', runId: runOf(handle) }, () => {
          const job = under(handle);
          return job && isSeen(job) ? observe(job) : { status: 'provisioning', missing: true };
        }),
      stop: (handle, { graceMs = 10_000 } = {}) =>
        unlessClosed({ method: 'stop', runId: runOf(handle), graceMs }, () => {
          const job = under(handle);
          if (job) stop(job, graceMs);
        }),
      find: (run) =>
        unlessClosed({ method: 'find', runId: run.runId }, () =>
          ofRun(run)
            .filter(isSeen)
            .map(({ handle }) => handle),
        ),
      list: () =>
        unlessClosed({ method: 'list', runId: null }, () =>
          jobs.filter((job) => !job.removed && isSeen(job)).map(found),
        ),
      remove: (handle) =>
        unlessClosed({ method: 'remove', runId: runOf(handle) }, () => {
          const job = under(handle);
          if (!job) return;
          if (job.unreachable) {
            const message = 'the job is not gone yet';
            throw new SubstrateError({ errorClass: 'substrate_error', message, transient: true });
          }
          end(job, { status: 'terminated', exitCode: 137 });
          job.removed = true;
        }),
      logTail: (handle) =>
        unlessClosed({ method: 'logTail', runId: runOf(handle) }, () => {
          const logs = under(handle)?.logs;
          return logs ? { bytes: Buffer.from(logs), from: 0 } : null;
        }),
      close: async () => {
        closed = true;
      },
    };
  }

  const fake: FakeSubstrates = {
    open,
    jobs,
    job(runId) {
      const job = jobs.findLast(({ spec }) => spec.runId === runId);
      if (!job) throw new Error(`run "${runId}" has no job`);
      return job;
    },
    calls,
    fail: (method, failure, { times = 1, done = false } = {}) => {
      faults.push({ method, failure, done, times });
    },
    mend: () => {
      faults = [];
    },
    lag: 0,
    exit,
    lose: (job) => {
      clearTimeout(job.killTimer ?? undefined);
      job.removed = true;
    },
    close: () => {
      for (const { killTimer } of jobs) clearTimeout(killTimer ?? undefined);
    },
  };
  return fake;
}

type RunName = { readonly workspaceId: string; readonly runId: string };

function isRun(one: RunName, other: RunName): boolean {
  return one.workspaceId === other.workspaceId && one.runId === other.runId;
}

function classOf(exitCode: number): JobErrorClass | null {
  if (exitCode === 0) return null;
  return exitCode >= 126 && exitCode <= 128 ? 'start_failed' : 'exit_nonzero';
}

function found({ handle, spec: { workspaceId, runId }, createdAt }: FakeJob): FoundObject {
  return { handle, workspaceId, runId, createdAt, ownedIfHash: null };
}
