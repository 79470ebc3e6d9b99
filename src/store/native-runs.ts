/** What the server can follow at a provider: the response to one Messages request, or a session. */
export const NATIVE_SOURCES = ['messages', 'session'] as const;

/** One of {@link NATIVE_SOURCES}. */
export type NativeSource = (typeof NATIVE_SOURCES)[number];

/** The fixed part of a followed run. */
export interface NewNativeRun {
  readonly run: number;
  readonly source: NativeSource;
  /** Null unless `source` is `session`. */
  readonly sessionId: string | null;
  readonly specHash: string;
}

/** A stored followed run, with fields of its run. Times are Unix milliseconds by the database's clock. */
export interface NativeRunRecord extends NewNativeRun {
  readonly workspace: string;
  readonly runId: string;
  readonly createdAt: number;
  /** The database's time when the record was read. */
  readonly now: number;
}

/** The process that follows a run, and how long its lease lasts unless it is renewed. */
export interface NativeLease {
  readonly owner: string;
  readonly leaseMs: number;
}

/** Stores the runs whose events the server fetches. Throws `StoreUnavailable` for a fault of the database. */
export interface NativeRunStore {
  /**
   * Makes a run with an empty log a followed run, leases it to this owner and opens its log to this owner
   * alone, in one durable commit. Returns false if the run is already followed, has events or a job, or has
   * ended.
   */
  create(run: NewNativeRun, lease: NativeLease): Promise<boolean>;
  /** Returns null if the run is not followed. */
  read(run: number): Promise<NativeRunRecord | null>;
  /**
   * Leases one run whose lease has ended, the longest abandoned first, and opens its log to this owner
   * instead of the previous one, in one durable commit. Skips the runs in `own`, which the owner follows.
   * Returns null if no run is left.
   */
  takeOver(lease: NativeLease, own: readonly number[]): Promise<NativeRunRecord | null>;
  /** Returns the database's time. */
  now(): Promise<number>;
  /** Shortens longer leases to `leaseMs` from now, after the database's clock was set back. */
  recall(leaseMs: number): Promise<void>;
  /** Extends the owner's leases to `leaseMs` from now. Returns the runs it still owns that have not ended. */
  renew(lease: NativeLease, runs: readonly number[]): Promise<ReadonlySet<number>>;
  /** Ends the owner's lease, so that another process can take over at once. Ignores other owners. */
  giveBack(owner: string, run: number): Promise<void>;
  /** Marks a followed run that has ended as done. Has no effect while the run continues. */
  settle(run: number): Promise<void>;
}
