import type { ProviderRuntimeKind } from '../../contract/jobs.ts';
import type { SubstrateFailure } from '../../substrates/errors.ts';

/** Which substrates may be called now. Each process finds out for itself. */
export interface Dispatchers {
  /** The substrates that are not paused. */
  open(): readonly ProviderRuntimeKind[];
  succeeded(kind: ProviderRuntimeKind): void;
  /** Records a failure. Returns for how many milliseconds it pauses the substrate, or 0. */
  failed(kind: ProviderRuntimeKind, failure: SubstrateFailure): number;
}

/** Refused credentials stay refused until an operator fixes them. */
const AUTH_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 5 * 60_000;
/** How many substrate faults in a row are taken for faults of single calls. */
const TOLERATED = 4;
const FAULT_PAUSE_MS = 1_000;

interface Dispatcher {
  failures: number;
  pausedUntil: number;
}

/** Creates dispatchers for these substrates, none of them paused. */
export function createDispatchers(kinds: readonly ProviderRuntimeKind[]): Dispatchers {
  const dispatchers = new Map<ProviderRuntimeKind, Dispatcher>(
    kinds.map((kind) => [kind, { failures: 0, pausedUntil: 0 }]),
  );
  return {
    open: () => kinds.filter((kind) => (dispatchers.get(kind)?.pausedUntil ?? 0) <= performance.now()),
    succeeded: (kind) => {
      dispatchers.set(kind, { failures: 0, pausedUntil: 0 });
    },
    failed: (kind, { errorClass, transient }) => {
      const dispatcher = dispatchers.get(kind);
      if (!dispatcher || !transient) return 0;
      const pause = pauseAfter(errorClass, dispatcher.failures);
      if (pause === null) return 0;
      dispatcher.failures += 1;
      dispatcher.pausedUntil = performance.now() + pause;
      return pause;
    },
  };
}

/** Returns null if the failure says nothing about the substrate as a whole. */
function pauseAfter(errorClass: SubstrateFailure['errorClass'], before: number): number | null {
  switch (errorClass) {
    case 'auth':
      return Math.min(MAX_PAUSE_MS, AUTH_PAUSE_MS * 2 ** Math.min(before, 10));
    case 'substrate_error':
      return before < TOLERATED
        ? 0
        : Math.min(AUTH_PAUSE_MS, FAULT_PAUSE_MS * 2 ** Math.min(before - TOLERATED, 10));
    default:
      return null;
  }
}
