import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRunTokens } from '../../src/auth/tokens.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import { JOB_LIMITS } from '../../src/jobs/reconcile/limits.ts';
import { createKeyring } from '../../src/lib/secrets/keyring.ts';
import type { Store } from '../../src/store/store.ts';
import type { Substrate } from '../../src/substrates/substrate.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';

/** The first request of the benchmark. */
export interface JobOrder {
  readonly by: 'our reconciler' | 'the bare minimum';
  readonly jobs: number;
  readonly pollMs: number;
}

/** Counts the checks of all jobs. */
export interface Looks {
  /** Starts counting. */
  begin(): void;
  /**
   * Returns the number of checks. Throws if a job was checked more often than its substrate allows, or not at
   * all.
   */
  end(seconds: number): number;
}

const WORKSPACE = 'default';
const LEASE_MS = 10_000;
const STARTING_AT_ONCE = 100;
const LOOK_MS = 50;
/** Milliseconds between the jobs' reports of their usage. */
const SPREAD_MS = 1_009;

/** Starts these jobs and looks after them until the process ends. */
export async function startJobLoad(store: Store, { by, jobs: size, pollMs }: JobOrder): Promise<Looks> {
  const seen = new Map<string, number>();
  const substrate = createBareSubstrate(pollMs, (machineId) => {
    seen.set(machineId, (seen.get(machineId) ?? 0) + 1);
  });
  const jobs = await openJobs(store, substrate);
  for (let first = 0; first < size; first += STARTING_AT_ONCE) {
    const ids = Array.from({ length: Math.min(STARTING_AT_ONCE, size - first) }, (_, index) => first + index);
    await Promise.all(ids.map((id) => startOne(jobs, `${id}`)));
  }
  jobs.lookAfter();
  while (seen.size < size) await sleep(LOOK_MS);
  if (by === 'the bare minimum') {
    await jobs.close();
    void lookAfterBarely(store, substrate, pollMs);
  }
  return {
    begin: () => seen.clear(),
    end: (seconds) => {
      const most = Math.floor((seconds * 1_000) / pollMs) + 1;
      const counts = [...seen.values()];
      const busiest = Math.max(...counts);
      if (busiest > most)
        throw new Error(`a job was checked ${busiest} times, but only ${most} times are allowed`);
      if (counts.length < size) throw new Error(`${size - counts.length} jobs were not checked`);
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

/** Repeats the minimum: one lease of all due jobs, which reads them, one check of each, and one release. */
async function lookAfterBarely(store: Store, substrate: Substrate, pollMs: number): Promise<never> {
  const owner = 'the bare minimum';
  const due = { host: '', abandonedMs: LEASE_MS, substrates: ['fly'], known: ['fly'] } as const;
  for (;;) {
    await sleep(Math.max(0, (await store.jobs.nextDue(due)).dueIn ?? 0));
    const taken = await store.jobs.lease({
      ...due,
      owner,
      leaseMs: LEASE_MS,
      limit: Number.MAX_SAFE_INTEGER,
    });
    const looks = taken.map(async ({ job: { run, version, appName, machineId, statusMs }, now }) => {
      await substrate.getStatus({ appName: appName ?? '', machineId: machineId ?? '' });
      return { run, version, dueIn: pollMs, failures: 0, statusMs, lookedAt: now };
    });
    await store.jobs.giveBack(owner, await Promise.all(looks));
  }
}

async function openJobs(store: Store, substrate: Substrate): Promise<Jobs> {
  const wakeups = createLocalPlane();
  const keyring = createKeyring([randomBytes(32)]);
  const runner = {
    name: 'bench',
    substrate: substrate.kind,
    providers: ['openai'],
    image: 'bench',
    command: null,
    env: {},
    secrets: {},
    regions: ['local'],
    resources: null,
    maxRunDurationMs: 3_600_000,
  } as const;
  return createJobs({
    store,
    ingest: createIngest(store, wakeups),
    wakeups,
    keyring,
    tokens: createRunTokens(keyring),
    config: { runners: [runner], providers: {}, mcpBase: null, substrates: {}, substrateSecrets: [] },
    substrates: new Map([[substrate.kind, { substrate, imageOf: () => 'bench' }]]),
    apiBase: () => 'http://127.0.0.1',
    sweep: 'off',
    patienceMs: 1_000,
    log: console,
  });
}

async function startOne(jobs: Jobs, runId: string): Promise<void> {
  await jobs.start({
    workspace: WORKSPACE,
    runId,
    provider: 'openai',
    runtime: 'managed',
    runner: null,
    title: null,
    labels: '{}',
    payload: null,
    maxRunDurationMs: null,
    region: null,
    resources: null,
  });
}

/**
 * Creates a substrate of endless jobs that cost nothing. They report their usage as often as it is stored,
 * one after another.
 */
function createBareSubstrate(pollMs: number, looked: (machineId: string) => void): Substrate {
  return {
    kind: 'fly',
    host: null,
    showsEnvironment: true,
    pollMs,
    keepEndedMs: 0,
    machineClaims: true,
    start: async ({ runId }) => ({ appName: 'bench', machineId: runId }),
    getStatus: async ({ machineId }) => {
      looked(machineId);
      const isItsTurn =
        (Math.floor(performance.now()) + Number(machineId) * SPREAD_MS) % JOB_LIMITS.statsMs < 2 * pollMs;
      return { status: 'running', ...(isItsTurn && { resourceStats: { cpuPercent: 1, memoryMb: 100 } }) };
    },
    stop: async () => {},
    find: async () => [],
    list: async () => [],
    remove: async () => {},
    close: async () => {},
  };
}
