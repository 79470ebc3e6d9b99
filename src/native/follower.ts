import type { NativeConfig } from '../config/env.ts';
import type { NativeLimits } from './limits.ts';
import type { Provider } from './provider.ts';
import type { NativeLog } from './run-log.ts';

/** What following one run needs. */
export interface FollowTools {
  readonly provider: Provider;
  readonly log: NativeLog;
  readonly limits: NativeLimits;
  readonly config: NativeConfig;
  /** Aborts with a `LeavingReason`. */
  readonly signal: AbortSignal;
}

/** What became of it: nothing is left to do, or somebody else is to go on. */
export type Followed = 'done' | 'left';
