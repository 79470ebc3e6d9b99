import type { Head, StoredEvent } from '../store/store.ts';

/** What one commit added to one log. It directly follows the log that ends at `previousSeq`. */
export interface Chunk {
  readonly previousSeq: number;
  readonly events: readonly StoredEvent[];
  readonly head: Head;
}

/**
 * A hint that a run has changed. It may be lost, repeated or early; the store is the truth. `chunk` is set if
 * this process made the commit, which saves the read.
 */
export interface Wake {
  readonly run: number;
  readonly workspace: string;
  readonly kind: 'created' | 'appended' | 'ended' | 'job';
  /** The log's last `seq` after the change. -1 if the log is empty or the run's job changed. */
  readonly lastSeq: number;
  readonly chunk: Chunk | null;
}

/** Receives the wakes of one run or of all runs. Must not throw. */
export type WakeListener = (wake: Wake) => void;

/** Carries wakes from writers to followers. */
export interface WakeupPlane {
  /** Sends wakes. Never throws and never waits. Listeners in this process are called before it returns. */
  publish(wakes: readonly Wake[]): void;
  /** Resolves once no later wake of this run can be missed. The returned function stops listening. */
  listen(run: number, listener: WakeListener): Promise<() => void>;
  /** Does the same for every run. */
  listenToAll(listener: WakeListener): Promise<() => void>;
}

/** The plane of a server. It is opened and closed, and may fail in between. */
export interface ServerPlane extends WakeupPlane {
  /** True if wakes come from other processes, and can be lost on their way. */
  readonly isRemote: boolean;
  /** Calls the listeners in this process only. */
  deliver(wakes: readonly Wake[]): void;
  /** Calls the listener after each outage in which wakes may have been missed. The result stops listening. */
  onGap(listener: () => void): () => void;
  /** Returns the number of wakes that could not be sent to other processes. */
  dropped(): number;
  /** Sends waiting wakes if that is possible at once, then closes every connection and timer. */
  close(): Promise<void>;
}

/** Where a plane logs that it is down or works again. Structurally a pino logger. */
export interface PlaneLog {
  warn(fields: object, message: string): void;
}
