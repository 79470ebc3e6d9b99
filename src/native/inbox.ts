import type { NativeConfig } from '../config/env.ts';
import type { Ingest } from '../ingest/ingest.ts';
import { createKeyedHash } from '../lib/secrets/keyed-hash.ts';
import type { Keyring } from '../lib/secrets/keyring.ts';
import type { Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { createFollowing, type NativeInboxLog } from './following.ts';
import { NATIVE_LIMITS, type NativeLimits } from './provider/limits.ts';
import { NativeInboxFull, NativeRefused } from './refusals.ts';
import { type NativeRequest, type NativeStarted, startNative } from './start.ts';

/** The dependencies of the native inbox. */
export interface NativeInboxOptions {
  readonly store: Store;
  readonly ingest: Ingest;
  readonly wakeups: WakeupPlane;
  readonly keyring: Keyring;
  /** If null, no run can be followed. */
  readonly config: NativeConfig | null;
  readonly log: NativeInboxLog;
  readonly limits?: NativeLimits;
}

/** The runs whose events the server fetches from their provider. */
export interface NativeInbox {
  /** Starts following a run; see `startNative`. Throws {@link NativeRefused} and {@link NativeInboxFull}. */
  start(request: NativeRequest): Promise<NativeStarted>;
  /** Starts taking over runs whose lease has ended. */
  lookAfter(): void;
  /** Leaves every run: sessions can be taken over, requests are ended as `server_restarted`. */
  close(): Promise<void>;
}

/** Opens the native inbox of a server. It takes over no runs before `lookAfter` is called. */
export function openNativeInbox(options: NativeInboxOptions): NativeInbox {
  const { store, config, limits = NATIVE_LIMITS } = options;
  const hash = createKeyedHash(options.keyring.derive('native runs'));
  const following = config && createFollowing({ ...options, limits, config });
  return {
    start: async (request) => {
      if (!following) {
        const message = 'this server has no ANTHROPIC_API_KEY: set it to follow Anthropic streams';
        throw new NativeRefused('native_not_configured', message);
      }
      if (following.isFull()) throw new NativeInboxFull();
      const lease = { owner: following.owner, leaseMs: limits.leaseMs };
      const started = await startNative({ store, wakeups: options.wakeups, hash, lease }, request);
      const { begun } = started;
      const { input } = request;
      if (begun) following.follow(begun, input.source === 'messages' ? input.request : null);
      return started;
    },
    lookAfter: () => following?.lookAfter(),
    close: async () => following?.close(),
  };
}
