import type { JsonObject, RunnerEvent } from '../../src/contract/events.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createKeyring } from '../../src/lib/secrets/keyring.ts';
import { openNativeInbox } from '../../src/native/inbox.ts';
import { NATIVE_LIMITS, type NativeLimits } from '../../src/native/provider/limits.ts';
import type { RunRecord, Store } from '../../src/store/store.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { readLog } from '../suites/store-records.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { API_KEY } from './native.ts';

/** The part of a server that follows runs. Shares nothing with others but what its store reads and writes. */
export interface FollowerProcess {
  /** Follows the session in a new run of the same name. */
  start(sessionId: string): Promise<RunRecord>;
  /** Starts taking over runs whose lease has ended. */
  lookAfter(): void;
  close(): Promise<void>;
}

/** Leases that end soon, and little patience with a store that fails. */
const HASTY: NativeLimits = {
  ...NATIVE_LIMITS,
  leaseMs: 600,
  pollMs: 20,
  backoffMs: 10,
  maxBackoffMs: 50,
  lastWordsMs: 100,
};

/** Starts a follower on this store for the duration of the test. */
export function startFollower(
  store: Store,
  provider: string,
  { maxDurationMs = 3_600_000 }: { readonly maxDurationMs?: number } = {},
): FollowerProcess {
  const wakeups = createLocalPlane();
  const ingest = createIngest(store, wakeups);
  const inbox = openNativeInbox({
    store,
    ingest,
    wakeups,
    keyring: createKeyring([new Uint8Array(32)]),
    config: {
      baseUrl: new URL(`${provider}/`),
      apiKey: API_KEY,
      betas: [],
      idleMs: 60_000,
      maxDurationMs,
      patienceMs: 20_000,
    },
    log: { warn: () => {}, error: () => {} },
    limits: HASTY,
  });
  const close = async (): Promise<void> => {
    await inbox.close();
    await ingest.close();
  };
  releaseAfterwards(close);
  return {
    start: async (sessionId) => {
      const input = { source: 'session', sessionId } as const;
      const workspace = 'workspace';
      return (await inbox.start({ workspace, runId: sessionId, title: null, labels: '{}', input })).run;
    },
    lookAfter: inbox.lookAfter,
    close,
  };
}

/** An event in a run's log. `isOwn`: the server created it. */
export type LoggedEvent = Pick<RunnerEvent, 'kind' | 'data'> & { readonly isOwn: boolean };

/** Reads a run's log from its store. */
export async function loggedIn(store: Store, run: RunRecord): Promise<LoggedEvent[]> {
  return (await readLog(store, run)).map(({ kind, data, sourceSeq }) => ({
    kind,
    data: JSON.parse(data) as JsonObject,
    isOwn: sourceSeq === null,
  }));
}

/** Returns true if the run has ended. */
export async function hasEnded(store: Store, run: RunRecord): Promise<boolean> {
  return (await store.readHeads([run.key])).get(run.key)?.terminalSeq !== null;
}
