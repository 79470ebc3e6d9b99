import type { Head, StoredEvent } from '../store/store.ts';

/** What one commit added to one log. Fits after exactly the log that ends at `previousSeq`. */
export interface Chunk {
  readonly previousSeq: number;
  readonly events: readonly StoredEvent[];
  readonly head: Head;
}

/**
 * A hint that a run has something new. It may be lost, come twice or come early; the store is the truth. `chunk`
 * is there when the commit was made in this process: it saves the read.
 */
export interface Wake {
  readonly run: number;
  readonly workspace: string;
  readonly kind: 'created' | 'appended' | 'ended' | 'job';
  /** The log's last number after the change; -1: it is empty, or it was the run's job that changed. */
  readonly lastSeq: number;
  readonly chunk: Chunk | null;
}

/** Hears the wakes of a run, or of all. Must not throw. */
export type WakeListener = (wake: Wake) => void;

/** Carries wakes from whoever commits to whoever follows. */
export interface WakeupPlane {
  /** Never throws and never waits. Listeners of this process hear it before it returns. */
  publish(wakes: readonly Wake[]): void;
  /** Resolves once no later wake of this run can be missed; the result ends it. */
  listen(run: number, listener: WakeListener): Promise<() => void>;
  /** The same for every run. */
  listenToAll(listener: WakeListener): Promise<() => void>;
}

/** The plane of a whole server: whatever wakes are carried by, it is opened and closed, and may fail in between. */
export interface ServerPlane extends WakeupPlane {
  /** Calls back whenever wakes of other processes may have been missed and no longer are; the result ends it. */
  onGap(listener: () => void): () => void;
  /** How many wakes could not be sent to other processes. */
  dropped(): number;
  /** Sends what waits if that is possible at once, and lets go of every connection and timer. */
  close(): Promise<void>;
}

/** Where a plane says that it is down, and that it is back. Structurally a pino logger. */
export interface PlaneLog {
  warn(fields: object, message: string): void;
}
