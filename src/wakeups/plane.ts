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
  readonly kind: 'created' | 'appended' | 'ended';
  /** The log's last number after the change; -1: it is empty. */
  readonly lastSeq: number;
  readonly chunk: Chunk | null;
}

/** Hears the wakes of a run, or of all. Must not throw. */
export type WakeListener = (wake: Wake) => void;

/** Carries wakes from whoever commits to whoever follows. */
export interface WakeupPlane {
  publish(wakes: readonly Wake[]): void;
  /** Resolves once no later wake of this run can be missed; the result ends it. */
  listen(run: number, listener: WakeListener): Promise<() => void>;
  /** The same for every run. */
  listenToAll(listener: WakeListener): Promise<() => void>;
}
