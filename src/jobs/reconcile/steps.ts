import type { ResourceStats } from '../../contract/jobs.ts';
import type { JobReading, JobRecord, StopReason } from '../../store/jobs.ts';
import type { SubstrateError } from '../../substrates/errors.ts';
import type { JobObservation, Substrate } from '../../substrates/substrate.ts';
import type { Specs } from '../spec/specs.ts';
import type { Changed, JobChanges } from './change.ts';
import type { JobLimits } from './limits.ts';
import type { JobNotes } from './notes.ts';
import { backoff, nextLookIn, nextStep } from './plan.ts';
import { isFinal, moved } from './transitions.ts';
import { ended, observedVerdict, stopVerdict, type Verdict } from './verdicts.ts';

/** What {@link takeStep} works with. */
export interface StepTools {
  readonly changes: JobChanges;
  readonly notes: JobNotes;
  readonly specs: Specs;
  readonly limits: JobLimits;
  /** Returns true if so many of a substrate's jobs are missing at once that its look-up must be broken. */
  readonly haveVanished: (job: JobRecord, missing: boolean) => boolean;
}

/** The outcome of a step. */
export interface StepResult {
  readonly job: JobRecord;
  /** In how many milliseconds the next step is due. */
  readonly dueIn: number;
  /** How many steps in a row had no result. */
  readonly failures: number;
}

/** How long after a claim to ask the substrate which of two machines is the claimer's. */
const SETTLE_CLAIM_MS = 60_000;

/** Takes one step of a job, from what is stored and what the substrate reports towards what was requested. */
export async function takeStep(
  tools: StepTools,
  substrate: Substrate,
  { job, now }: JobReading,
): Promise<StepResult> {
  const { limits } = tools;
  if (job.host !== null && job.host !== substrate.host) return giveUp(tools, { job, now }, HOST_LOST);
  const step = nextStep(job, now, limits);
  switch (step.do) {
    case 'start':
      return start(tools, substrate, job);
    case 'look':
      return look(tools, substrate, { job: await rightHandle(tools, substrate, job, now), now }, null);
    case 'look and stop':
      return look(tools, substrate, { job, now }, step.reason);
    case 'stop':
      await substrate.stop(handleOf(job), { graceMs: step.graceMs });
      return look(tools, substrate, { job, now }, null);
    case 'find':
      return find(tools, substrate, job);
    case 'cancel':
      return after(await change(tools, job, (was, at) => ended(was, stopVerdict(was.stopReason), at)), 0);
    case 'settle':
      return settle(tools, substrate, job, now);
  }
}

/** The verdict on a job of another machine. What it left there is for that machine to find. */
const HOST_LOST: Verdict = {
  errorClass: 'host_lost',
  message: 'no server on its machine looks after the job',
  exitCode: null,
};

/** Gives up a job that no process has looked after for long and that this process cannot look after. */
export async function giveUp(
  tools: StepTools,
  { job, now }: JobReading,
  verdict: Verdict,
): Promise<StepResult> {
  const waitMs = isFinal(job.status) ? await tools.notes.endRun(job, now) : null;
  if (waitMs !== null) return { job, failures: 0, dueIn: waitMs };
  const given = await change(tools, job, (was, at) =>
    isFinal(was.status) ? { ...was, settledAt: at } : ended(was, verdict, at),
  );
  return after(given, 0);
}

/** Ends a job whose failed step cannot succeed later, else schedules another attempt. */
export async function failedStep(
  tools: StepTools,
  job: JobRecord,
  error: SubstrateError,
): Promise<StepResult> {
  const { errorClass, message, transient, mayExist, retryAfterMs } = error.failure;
  const starting = job.machineId === null && job.wish === 'run' && !isFinal(job.status);
  if (starting && !transient && !mayExist) {
    const verdict = { errorClass, message: await redacted(tools.specs, job, message), exitCode: null };
    return after(await change(tools, job, (was, at) => ended(was, verdict, at)), 0);
  }
  const later = laterTry(tools, job);
  return { ...later, dueIn: Math.max(retryAfterMs ?? 0, later.dueIn) };
}

/** Schedules another attempt at a failed step. */
export function laterTry({ limits }: StepTools, job: JobRecord): StepResult {
  const failures = job.failures + 1;
  // A failed look-up does not show that a job is gone: only successful ones count towards losing it.
  const counts = isFinal(job.status) || (job.machineId === null && job.wish === 'run');
  return { job, failures: counts ? failures : job.failures, dueIn: backoff(failures, limits) };
}

async function start(tools: StepTools, substrate: Substrate, job: JobRecord): Promise<StepResult> {
  // Stored before the call: a stop after this point must check whether something was created.
  const asked = await change(tools, job, (was, at) =>
    was.startAskedAt === null && was.wish === 'run' && !isFinal(was.status)
      ? { ...was, startAskedAt: at }
      : was,
  );
  // The next step makes the call, so that its result is compared with the version stored here.
  if (asked.changed || asked.job.wish === 'stop' || isFinal(asked.job.status)) return after(asked, 0);
  const handle = await substrate.start(await tools.specs.specOf(asked.job, substrate.showsEnvironment));
  const started = await change(tools, asked.job, (was, at) =>
    was.machineId !== null
      ? was
      : { ...moved(was, 'provisioning', at), appName: handle.appName, machineId: handle.machineId },
  );
  return after(started, 0);
}

async function look(
  tools: StepTools,
  substrate: Substrate,
  { job, now }: JobReading,
  reason: StopReason | null,
): Promise<StepResult> {
  const { limits, notes } = tools;
  const seen = await substrate.getStatus(handleOf(job));
  const stopping = (was: JobRecord, at: number) => {
    // The job runs after all, perhaps while this server was busy or suspended.
    const late = reason === 'provisioning' && was.status === 'running';
    return reason === null || late || was.wish === 'stop' ? was : toStop(was, reason, limits.graceMs, at);
  };
  const doubt = doubtIn(tools, job, seen);
  if (doubt === 'wait' && reason === null) {
    const failures = job.failures + 1;
    return { job, failures, dueIn: Math.max(substrate.pollMs, backoff(failures, limits)) };
  }
  const redactor = isFinal(seen.status) ? await tools.specs.redactorOf(job) : null;
  const see = (was: JobRecord, at: number): JobRecord => {
    // Claimed meanwhile, perhaps by another machine: first find out which one counts.
    if (was.claimInstance !== job.claimInstance) return was;
    if (doubt === 'gone') return ended(was, goneVerdict(was, seen), at);
    if (doubt === 'wait') return stopping(was, at);
    if (redactor) {
      const verdict = observedVerdict(was, seen);
      const message = verdict.message === null ? null : redactor.redact(verdict.message);
      return ended(was, { ...verdict, message }, at);
    }
    const region = seen.region === undefined ? was : withRegion(was, seen.region);
    // If a substrate stops a job unasked, it reports later how the job ended.
    const lively = seen.status === 'stopping' ? region : moved(region, seen.status, at);
    const told = withStats(lively, seen.resourceStats, at, limits);
    return stopping(told, at);
  };
  // Nearly all checks see nothing new and need not read the job again.
  const looked = see(job, now) === job ? { job, now, changed: false } : await change(tools, job, see);
  if (looked.job.claimInstance !== job.claimInstance) return after(looked, 0);
  // The first figures are stored with the job only: a run's log begins with what its runner says.
  if (job.statsAt !== null && looked.job.statsAt !== job.statsAt && seen.resourceStats) {
    await notes.tellStats(looked.job, seen.resourceStats, looked.now);
  }
  if (isFinal(looked.job.status) || looked.job.wish !== job.wish) return after(looked, 0);
  return after(looked, nextLookIn(looked.job, looked.now, substrate.pollMs, limits));
}

/** Returns the job with a stop requested. A second request can only shorten the grace period. */
export function toStop(job: JobRecord, reason: StopReason, graceMs: number, now: number): JobRecord {
  if (isFinal(job.status)) return job;
  const stopping = moved(job, 'stopping', now);
  const stopAskedAt = job.stopAskedAt ?? now;
  const killAt = Math.min(job.killAt ?? Number.MAX_SAFE_INTEGER, stopAskedAt + stopping.statusMs + graceMs);
  if (job.wish === 'stop' && killAt === job.killAt) return job;
  return {
    ...stopping,
    wish: 'stop',
    stopReason: job.stopReason ?? reason,
    stopAskedAt,
    killAt,
    // Earlier failures were of other calls: from here on, look-ups are counted.
    failures: job.wish === 'stop' ? job.failures : 0,
    nextStepAt: now,
  };
}

/** What a substrate needs to find a job whose start was never answered. */
function placeOf({ workspace, runId, specHash }: JobRecord): Parameters<Substrate['find']>[0] {
  return { workspaceId: workspace, runId, specHash };
}

async function find(tools: StepTools, substrate: Substrate, job: JobRecord): Promise<StepResult> {
  const [found] = await substrate.find(placeOf(job));
  if (found) {
    const adopted = await change(tools, job, (was) =>
      was.machineId === null ? { ...was, appName: found.appName, machineId: found.machineId } : was,
    );
    return after(adopted, 0);
  }
  // One empty list may just lag. Whatever appears later is found when the job settles, or by the sweep.
  const failures = job.failures + 1;
  if (failures < tools.limits.missingLooks) return { job, failures, dueIn: backoff(failures, tools.limits) };
  return after(await change(tools, job, (was, at) => ended(was, stopVerdict(was.stopReason), at)), 0);
}

async function settle(
  tools: StepTools,
  substrate: Substrate,
  job: JobRecord,
  now: number,
): Promise<StepResult> {
  const waitMs = await tools.notes.endRun(job, now);
  if (waitMs !== null) return { job, failures: 0, dueIn: waitMs };
  if (job.startAskedAt !== null) {
    // Only a job that is known to have ended keeps what it left: any other may still be running.
    const keepMs = job.exitCode === null ? 0 : substrate.keepEndedMs;
    if (job.statusMs < keepMs) return { job, failures: 0, dueIn: keepMs - job.statusMs };
    const left = await substrate.find(placeOf(job));
    const known = job.machineId === null ? [] : [handleOf(job)];
    for (const handle of [...known, ...left]) await substrate.remove(handle);
  }
  return after(await change(tools, job, (was, at) => ({ ...was, settledAt: at })), 0);
}

/**
 * A lost answer can leave two machines with one environment; the claim shows which of them works. The job
 * continues with that one, and the other is removed.
 */
async function rightHandle(
  tools: StepTools,
  substrate: Substrate,
  job: JobRecord,
  now: number,
): Promise<JobRecord> {
  const { claimInstance, claimedAt, machineId } = job;
  const settled =
    !substrate.machineClaims || claimInstance === null || now > (claimedAt ?? 0) + SETTLE_CLAIM_MS;
  if (settled || claimInstance === machineId) return job;
  const found = await substrate.find(placeOf(job));
  const real = found.find((handle) => handle.machineId === claimInstance);
  if (!real) return job;
  // Removed first, because nothing looks for the other machine once the job has the right handle.
  for (const other of found) if (other !== real) await substrate.remove(other);
  const { appName } = real;
  const adopted = await change(tools, job, (was) => ({ ...was, appName, machineId: real.machineId }));
  return adopted.job;
}

/**
 * Returns the doubt in what was seen: a look-up can lag, and a host can come back. `gone`: the doubt has
 * lasted long enough.
 */
function doubtIn(tools: StepTools, job: JobRecord, seen: JobObservation): 'none' | 'wait' | 'gone' {
  const { limits } = tools;
  const missing = seen.missing === true;
  const vanished = tools.haveVanished(job, missing);
  const looks = job.failures + 1;
  if (missing) return looks < (vanished ? limits.vanishedLooks : limits.missingLooks) ? 'wait' : 'gone';
  // A status that is not final but has this class is the last one known.
  if (isFinal(seen.status) || seen.terminalErrorClass !== 'host_lost') return 'none';
  return looks < limits.hostLostLooks ? 'wait' : 'gone';
}

function goneVerdict(job: JobRecord, { missing }: JobObservation): Verdict {
  const stopped = stopVerdict(job.stopReason);
  if (missing !== true && (job.wish === 'run' || stopped.errorClass === null)) {
    const message = 'its host stays unreachable: the job may still run there, but its events are refused';
    return { errorClass: 'host_lost', message, exitCode: null };
  }
  if (job.wish === 'stop') return stopped;
  const message = 'the substrate lost the job without reporting an exit status';
  return { errorClass: 'lost', message, exitCode: null };
}

function withRegion(job: JobRecord, region: string): JobRecord {
  return region === job.region ? job : { ...job, region };
}

function withStats(
  job: JobRecord,
  stats: ResourceStats | undefined,
  now: number,
  { statsMs }: JobLimits,
): JobRecord {
  const due = job.statsAt === null || now >= job.statsAt + statsMs || now < job.statsAt;
  if (!stats || !due || job.runEndedAt !== null) return job;
  return { ...job, stats: JSON.stringify(stats), statsAt: now };
}

/** Removes the job's secrets from a substrate's message. */
export async function redacted(specs: Specs, job: JobRecord, message: string): Promise<string> {
  const { redact } = await specs.redactorOf(job);
  return redact(message);
}

function handleOf({ appName, machineId }: JobRecord) {
  return { appName: appName ?? '', machineId: machineId ?? '' };
}

async function change(
  { changes }: StepTools,
  { run }: JobRecord,
  next: (job: JobRecord, now: number) => JobRecord,
): Promise<Changed> {
  const changed = await changes.apply(run, next);
  if (!changed) throw new Error(`the job of run ${run} no longer exists`);
  return changed;
}

function after({ job }: Changed, dueIn: number): StepResult {
  return { job, dueIn, failures: 0 };
}
