import type { NativeConfig } from '../config/env.ts';
import type { NativeLimits } from './provider/limits.ts';
import type { Provider } from './provider/provider.ts';
import type { NativeLog } from './run-log.ts';

/** The dependencies of following one run. */
export interface FollowTools {
  readonly provider: Provider;
  readonly log: NativeLog;
  readonly limits: NativeLimits;
  readonly config: NativeConfig;
  /** Aborts with a `LeavingReason`. */
  readonly signal: AbortSignal;
}

/** The result of following a run: nothing is left to do, or another process should continue. */
export type Followed = 'done' | 'left';
