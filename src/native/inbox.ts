import type { NativeConfig } from '../config/env.ts';
import type { Ingest } from '../ingest/ingest.ts';
import { createKeyedHash } from '../lib/keyed-hash.ts';
import type { Keyring } from '../lib/keyring.ts';
import type { Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { createFollowing, type NativeInboxLog } from './following.ts';
import { NATIVE_LIMITS, type NativeLimits } from './limits.ts';
import { NativeInboxFull, NativeRefused } from './refusals.ts';
import { type NativeRequest, type NativeStarted, startNative } from './start.ts';

/** What following needs. */
export interface NativeInboxOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly wakeups: WakeupPlane;
  readonly keyring: Keyring;
  /** Null: nothing is followed. */
  readonly config: NativeConfig | null;
  readonly log: NativeInboxLog;
  readonly limits?: NativeLimits;
}

/** The runs whose events the server fetches from their provider itself. */
export interface NativeInbox {
  /** Begins to follow a run; see `start.ts`. */
  start(request: NativeRequest): Promise<NativeStarted>;
  /** Begins to take over what nobody follows any more. */
  lookAfter(): void;
  /** Leaves every run: sessions to whoever takes them over, requests ended. */
  close(): Promise<void>;
}

/** Opens the inbox of a server. */
export function openNativeInbox(options: NativeInboxOptions): NativeInbox {
  const { store, config, limits = NATIVE_LIMITS } = options;
  const hash = createKeyedHash(options.keyring.derive('native runs'));
  const following = config && createFollowing({ ...options, limits, config });
  return {
    start: async (request) => {
      if (!following) {
        const message = 'this server has no ANTHROPIC_API_KEY: it can follow no stream of the provider’s';
        throw new NativeRefused('native_not_configured', message);
      }
      if (following.isFull()) throw new NativeInboxFull();
      const lease = { owner: following.owner, leaseMs: limits.leaseMs };
      const started = await startNative({ store, hash, lease }, request);
      const { run, runCreated, begun } = started;
      if (runCreated) {
        const wake = { run: run.key, workspace: run.workspace, lastSeq: -1, chunk: null };
        options.wakeups.publish([{ ...wake, kind: 'created' }]);
      }
      const { input } = request;
      if (begun) following.follow(begun, input.source === 'messages' ? input.request : null);
      return started;
    },
    lookAfter: () => following?.lookAfter(),
    close: async () => following?.close(),
  };
}
