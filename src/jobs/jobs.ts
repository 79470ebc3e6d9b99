import type { Runner } from '../auth/principal.ts';
import type { RunTokens } from '../auth/tokens.ts';
import type { Config } from '../config/env.ts';
import type { RunnerConfig, RunnersConfig } from '../config/runners.ts';
import type { ProviderRuntimeKind } from '../contract/jobs.ts';
import type { Ingest } from '../ingest/ingest.ts';
import { createReleasers } from '../lib/releasers.ts';
import type { Keyring } from '../lib/secrets/keyring.ts';
import { createEvenClock } from '../lib/waiting/even-clock.ts';
import type { JobRecord } from '../store/jobs.ts';
import type { Store } from '../store/store.ts';
import { thisHost } from '../substrates/open.ts';
import type { OpenedSubstrate } from '../substrates/setup.ts';
import type { JobLog } from '../substrates/substrate.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { type Claim, claimJob } from './claim.ts';
import { followJob } from './follow.ts';
import { createJobLogs } from './job-logs.ts';
import { createJobChanges } from './reconcile/change.ts';
import { JOB_LIMITS, type JobLimits } from './reconcile/limits.ts';
import { createJobNotes } from './reconcile/notes.ts';
import { createReconciler } from './reconcile/reconciler.ts';
import { toStop } from './reconcile/steps.ts';
import { startSweep } from './reconcile/sweep.ts';
import { isFinal } from './reconcile/transitions.ts';
import { createVanishingGuard } from './reconcile/vanishing.ts';
import { ended, stopVerdict } from './reconcile/verdicts.ts';
import { createPayloadSafe } from './spec/payload.ts';
import { createSpecs } from './spec/specs.ts';
import { type JobRequest, type JobStarted, startJob } from './start.ts';

/** What {@link createJobs} works with. */
export interface JobsOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly wakeups: WakeupPlane;
  readonly config: RunnersConfig;
  /** Why no runners are available, if something is missing for them. Shown to callers who start jobs. */
  readonly noRunners?: string | null;
  readonly substrates: ReadonlyMap<ProviderRuntimeKind, OpenedSubstrate>;
  readonly keyring: Keyring;
  readonly tokens: RunTokens;
  /** The server's own secrets. They are redacted from the output of jobs, as the job's secrets are. */
  readonly ownSecrets?: readonly string[];
  /** Returns the URL at which runners reach this server, without a path. Called when a job starts. */
  readonly apiBase: () => string;
  readonly sweep: Config['orphanSweep'];
  /** How long followers of a job wait for a store that is down, in milliseconds. */
  readonly patienceMs: number;
  readonly log: JobLog;
  readonly limits?: JobLimits;
}

/** The jobs of a server. */
export interface Jobs {
  /** The configured runners. */
  readonly runners: readonly RunnerConfig[];
  /** Starts looking after the jobs. Until then, requests are only recorded. */
  lookAfter(): void;
  /** Records that a run needs a job; see `start.ts`. */
  start(request: JobRequest): Promise<JobStarted>;
  /**
   * Records that a job must stop and returns it, or null if the run has none. A second stop may shorten the
   * grace period.
   */
  stop(run: number, graceMs: number | null): Promise<JobRecord | null>;
  /** See `claim.ts`. */
  claim(run: number, runner: Runner, instance: string): Promise<Claim>;
  /** See `follow.ts`. */
  follow(run: number): AsyncGenerator<JobRecord, void, undefined>;
  /** Returns the newest lines of the runner's output, without secrets. Null if none are available. */
  logs(run: number, lines: number): Promise<string | null>;
  /** Returns the job's page in the substrate's console. Null if it has none. */
  consoleUrl(job: Pick<JobRecord, 'substrate' | 'appName' | 'machineId'>): string | null;
  /** How many steps this process has taken, and how many of them failed. */
  counts(): { readonly steps: number; readonly failures: number };
  /** Stops looking after the jobs, which continue, and closes the substrates. */
  close(): Promise<void>;
}

/** Creates the jobs of a server over open substrates, which {@link Jobs.close} closes. */
export async function createJobs(options: JobsOptions): Promise<Jobs> {
  const { store, ingest, wakeups, config, substrates: opened, keyring, tokens, apiBase, log } = options;
  const { ownSecrets = [], noRunners = null } = options;
  const { sweep: mode, patienceMs, limits = JOB_LIMITS } = options;
  const releasers = createReleasers();
  const substrates = new Map([...opened].map(([kind, { substrate }]) => [kind, substrate]));
  for (const substrate of substrates.values()) releasers.add(() => substrate.close());
  const safe = createPayloadSafe(keyring);
  const specs = createSpecs({ config, safe, tokens, apiBase, ownSecrets });
  const clock = createEvenClock();
  const changes = createJobChanges(store.jobs, wakeups, clock);
  const tools = {
    changes,
    specs,
    limits,
    notes: createJobNotes(store, ingest, limits),
    haveVanished: createVanishingGuard(),
  };
  const host = thisHost(opened.values());
  const reconciler = createReconciler({ jobs: store.jobs, substrates, host, tools, clock, log });
  releasers.add(() => reconciler.close());
  const unlisten = await wakeups.listenToAll(({ kind }) => {
    if (kind === 'job') reconciler.kick();
  });
  releasers.add(unlisten);

  function substrateOf(runner: RunnerConfig) {
    const found = opened.get(runner.substrate);
    if (!found) throw new Error(`substrate ${runner.substrate} of runner ${runner.name} is not open`);
    return { substrate: found.substrate, image: found.imageOf(runner) };
  }

  return {
    runners: config.runners,
    lookAfter: () => {
      reconciler.start();
      const sweep = startSweep({ store, substrates, mode, limits, log });
      releasers.add(() => sweep.close());
    },
    start: async (request) => {
      const started = await startJob({ store, wakeups, specs, safe, substrateOf, noRunners }, request);
      const { key, workspace } = started.run;
      if (started.jobCreated)
        wakeups.publish([{ run: key, workspace, kind: 'job', lastSeq: -1, chunk: null }]);
      reconciler.kick();
      return started;
    },
    stop: async (run, graceMs) => {
      const grace = Math.min(graceMs ?? limits.graceMs, limits.maxGraceMs);
      const stopped = await changes.apply(run, (job, now) => {
        if (isFinal(job.status)) return job;
        const stopping = toStop(job, 'requested', grace, now);
        // No substrate has been asked to start the job, and none will be from here on.
        const never = job.machineId === null && job.startAskedAt === null;
        return never ? ended(stopping, stopVerdict('requested'), now) : stopping;
      });
      reconciler.kick();
      return stopped?.job ?? null;
    },
    claim: (run, runner, instance) => claimJob({ store, changes, specs, tokens }, run, runner, instance),
    follow: (run) => followJob({ jobs: store.jobs, wakeups, patienceMs }, run),
    logs: createJobLogs({ jobs: store.jobs, substrates, specs, log }),
    consoleUrl: ({ substrate, appName, machineId }) =>
      appName === null || machineId === null
        ? null
        : (substrates.get(substrate)?.getConsoleUrl?.({ appName, machineId }) ?? null),
    counts: reconciler.counts,
    close: () => releasers.release(),
  };
}
