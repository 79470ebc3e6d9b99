/** What of a provider's can be followed for a run: the answer to one Messages request, or a session. */
export const NATIVE_SOURCES = ['messages', 'session'] as const;

/** One of {@link NATIVE_SOURCES}. */
export type NativeSource = (typeof NATIVE_SOURCES)[number];

/** What a followed run is made of; none of it changes. */
export interface NewNativeRun {
  readonly run: number;
  readonly source: NativeSource;
  /** Of a session. */
  readonly sessionId: string | null;
  readonly specHash: string;
}

/** A followed run, with what of its run belongs to it. Times are Unix milliseconds by the database's clock. */
export interface NativeRunRecord extends NewNativeRun {
  readonly workspace: string;
  readonly runId: string;
  readonly createdAt: number;
  /** When it was read. */
  readonly now: number;
}

/** Who follows, and until when if it is not renewed. */
export interface NativeLease {
  readonly owner: string;
  readonly leaseMs: number;
}

/** The runs whose events the server fetches itself. A fault of the database is thrown as `StoreUnavailable`. */
export interface NativeRunStore {
  /**
   * Makes a run with an empty log one that is followed, gives it to this owner, and opens its log to nobody else, in one
   * durable commit. Answers whether it did: not if it is followed already, has events, a job or an end.
   */
  create(run: NewNativeRun, lease: NativeLease): Promise<boolean>;
  /** Null: the run is not followed. */
  read(run: number): Promise<NativeRunRecord | null>;
  /**
   * Takes one run that nobody follows any more, the longest abandoned first, and opens its log to this owner instead of
   * the last one, in one durable commit. Never one of `own`, which the owner follows. Null: there is none.
   */
  takeOver(lease: NativeLease, own: readonly number[]): Promise<NativeRunRecord | null>;
  /** The database's time. */
  now(): Promise<number>;
  /** Shortens leases that end more than `leaseMs` from now to `leaseMs`: the database's clock was set back. */
  recall(leaseMs: number): Promise<void>;
  /** Makes the owner's leases last so long from now. Answers those of the runs that are still its own and go on. */
  renew(lease: NativeLease, runs: readonly number[]): Promise<ReadonlySet<number>>;
  /** Lets others take a run over at once; changes nothing of one that is not the owner's. */
  giveBack(owner: string, run: number): Promise<void>;
  /** Nothing is left to do for it, if it has ended; changes nothing of one that goes on. */
  settle(run: number): Promise<void>;
}
