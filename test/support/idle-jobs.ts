import { createRunTokens } from '../../src/auth/tokens.ts';
import type { Ingest } from '../../src/ingest/ingest.ts';
import { createJobs, type Jobs } from '../../src/jobs/jobs.ts';
import { createKeyring } from '../../src/lib/secrets/keyring.ts';
import { type NativeInbox, openNativeInbox } from '../../src/native/inbox.ts';
import type { Store } from '../../src/store/store.ts';
import type { WakeupPlane } from '../../src/wakeups/plane.ts';

/** Creates the jobs of a server that has no runners and looks after no jobs. */
export function createIdleJobs(store: Store, ingest: Ingest, wakeups: WakeupPlane): Promise<Jobs> {
  const keyring = createKeyring([new Uint8Array(32)]);
  return createJobs({
    store,
    ingest,
    wakeups,
    keyring,
    tokens: createRunTokens(keyring),
    config: { runners: [], providers: {}, mcpBase: null, substrates: {}, substrateSecrets: [] },
    substrates: new Map(),
    apiBase: () => '',
    sweep: 'off',
    patienceMs: 1_000,
    log: { warn: () => {}, error: () => {} },
  });
}

/** Creates the native inbox of a server that has no provider key. */
export function createIdleInbox(store: Store, ingest: Ingest, wakeups: WakeupPlane): NativeInbox {
  const keyring = createKeyring([new Uint8Array(32)]);
  const log = { warn: () => {}, error: () => {} };
  return openNativeInbox({ store, ingest, wakeups, keyring, config: null, log });
}
