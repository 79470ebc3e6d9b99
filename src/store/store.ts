import type { RunnerEventKind } from '../contract/events.ts';
import type { RunProvider, RunRuntime } from '../contract/jobs.ts';
import type { CatalogClient } from './catalog.ts';
import type { JobStore } from './jobs.ts';
import type { ListStore } from './lists.ts';
import type { NativeRunStore } from './native-runs.ts';

/** The end of a run's log. Moves only in the commit that appends. */
export interface Head {
  /** The last event's `seq`. -1 in an empty log. */
  readonly lastSeq: number;
  /** The producer's last `seq`. -1 before its first event. */
  readonly lastSourceSeq: number;
  /** The last event's time in Unix milliseconds. 0 in an empty log. */
  readonly lastTMs: number;
  readonly eventCount: number;
  /** The number of events that the server created. */
  readonly serverEvents: number;
  /** UTF-8 bytes of the data of all events. Runs older than this field count from their next event on. */
  readonly dataBytes: number;
  /** The terminal event's `seq`. Null while the run continues. */
  readonly terminalSeq: number | null;
  /** The last `seq` that retention removed, with all before it. -1 if nothing was removed. */
  readonly removedThrough: number;
  /**
   * Whose events the log accepts. Null: any sender's. Empty: no sender's yet. Otherwise only those of the
   * instance that claimed the job, or of the process that follows the run's provider.
   */
  readonly fence: string | null;
}

/** A stored run. `key` is the small number that events refer to. */
export interface RunRecord extends Head {
  readonly key: number;
  readonly workspace: string;
  readonly id: string;
  readonly provider: RunProvider;
  readonly runtime: RunRuntime;
}

/** A run to create. `labels` is the text of a JSON object. `createdAt` is in Unix milliseconds. */
export interface NewRun {
  readonly workspace: string;
  readonly id: string;
  readonly provider: RunProvider;
  readonly runtime: RunRuntime;
  readonly title: string | null;
  readonly labels: string;
  readonly createdAt: number;
}

/** A stored event. `data` is JSON text with its escapes, the one form that both databases keep exactly. */
export interface StoredEvent {
  readonly seq: number;
  /** The producer's own `seq`. Null for events that the server created. */
  readonly sourceSeq: number | null;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
  /** Unix milliseconds by the clock of the process that committed. */
  readonly committedAt: number;
}

/** New events for one run, stored only if its log still ends at `expectedLastSeq` and has `head`'s fence. */
export interface Append {
  readonly run: number;
  readonly expectedLastSeq: number;
  readonly events: readonly StoredEvent[];
  /** The head after the events are stored. */
  readonly head: Head;
  /** When the runtime was ready, if one of the events says so. A run keeps its first value. */
  readonly startedAt: number | null;
  /** When the run ended, if the last event is terminal. */
  readonly endedAt: number | null;
}

/** How much of a log one step covers: `maxEvents` events, or up to the event that reaches `maxBytes`. */
export interface PageLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** How much of a log a page contains. */
export interface PageReadLimits extends PageLimits {
  /** If true, the page ends before the event that would exceed `maxBytes`, even the first, and names it. */
  readonly strict?: boolean;
}

/** An event that a strict page names without its data. */
export interface OmittedEvent {
  readonly seq: number;
  readonly kind: RunnerEventKind;
  /** UTF-8 bytes of the event's data. */
  readonly bytes: number;
}

/** A part of a log in order, and the log's head in the same snapshot. */
export interface Page {
  readonly events: readonly StoredEvent[];
  readonly head: Head;
  /** The next event, if it was too large for a strict page. Its data has not been read. */
  readonly omitted?: OmittedEvent;
}

/** A producer's `seq` to search for, and how much data to read. */
export interface ProducedNumber {
  readonly sourceSeq: number;
  /** UTF-8 bytes. Longer data is not read. */
  readonly maxDataBytes: number;
}

/** An event found by its producer's `seq`. `data` is null if it is longer than `maxDataBytes`. */
export type FoundEvent = Omit<StoredEvent, 'data'> & { readonly data: string | null };

/** A run that has ended. */
export interface EndedRun {
  readonly key: number;
  readonly workspace: string;
  /** Unix milliseconds. */
  readonly endedAt: number;
  /** True if the run's history is removed and nothing is left to do. */
  readonly removed: boolean;
}

/** A position among ended runs, which are ordered by the time they ended, then by key. */
export type EndedPlace = Pick<EndedRun, 'key' | 'endedAt'>;

/** The direction in which a page is read from its cursor. */
export type PageDirection = 'forward' | 'backward';

/**
 * The persistent store. There is one implementation per SQL dialect; the same test suite runs against each.
 * Faults of the database are thrown as {@link StoreUnavailable} if retrying may help.
 */
export interface Store {
  readonly dialect: 'sqlite' | 'postgres';
  /** Identifies the database and its copies: the same in every process and for as long as the database exists. */
  readonly id: string;
  /** The real path of the database's file. Null on Postgres. */
  readonly file: string | null;
  /** Prisma's model API, for reading rows by key. It never writes. */
  readonly catalog: CatalogClient;
  readonly lists: ListStore;
  readonly jobs: JobStore;
  readonly nativeRuns: NativeRunStore;
  /** Creates the run, or returns the existing run with that id. */
  createRun(run: NewRun): Promise<{ readonly created: boolean; readonly run: RunRecord }>;
  findRun(workspace: string, id: string): Promise<RunRecord | null>;
  /** Returns the heads of the runs that exist, by key. */
  readHeads(runs: readonly number[]): Promise<ReadonlyMap<number, Head>>;
  /**
   * Stores every append whose run still ends where expected, all in one durable commit and one round trip.
   * Returns the keys of the runs that were appended to. A missing run lost a race; its append must be judged
   * again. Accepts at most one append per run. Postgres stores no end of a run before its own clock, which may be
   * ahead of the clocks of its processes; SQLite has no clock of its own.
   */
  commit(appends: readonly Append[]): Promise<ReadonlySet<number>>;
  /**
   * Returns the events after `after` (forward), or those before it, nearest first (backward). Returns null
   * for an unknown run.
   */
  readPage(
    run: number,
    after: number,
    limits: PageReadLimits,
    direction?: PageDirection,
  ): Promise<Page | null>;
  /** Returns the events with these producer's `seq`s. `serverEvents` of the head bounds the search. */
  readProduced(run: number, numbers: readonly ProducedNumber[], serverEvents: number): Promise<FoundEvent[]>;
  /** Reads the database's clock, by which retention decides what is old, in whole Unix milliseconds. */
  readClock(): Promise<number>;
  /** Returns up to `limit` runs after a position that ended before `before` (Unix milliseconds), in order. */
  readEnded(after: EndedPlace, before: number, limit: number): Promise<readonly EndedRun[]>;
  /**
   * Moves `removedThrough` of an ended run to its last event before the terminal one, in a separate durable
   * commit. Every later page read shows the gap. Has no effect while the run continues.
   */
  markRemoved(run: number): Promise<void>;
  /**
   * Deletes events after `after` that the run's `removedThrough` covers, oldest first and within the limits,
   * in one commit. Returns the last deleted event's `seq`, or null if none was left.
   */
  deleteRemoved(run: number, after: number, limits: PageLimits): Promise<number | null>;
  /**
   * Moves the terminal event of a run that has no other events left to a separate table, out of the way of
   * running logs. Reads still find it. Has no effect on any other run.
   */
  setTerminalAside(run: number): Promise<void>;
  /**
   * Resolves if a write would succeed, which it proves by a write without effect. Throws the reason if not. A
   * store from `openStore` writes at most once a second and returns the result of its last write or ping in
   * between.
   */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The head of a log without events. */
export const EMPTY_HEAD: Head = {
  lastSeq: -1,
  lastSourceSeq: -1,
  lastTMs: 0,
  eventCount: 0,
  serverEvents: 0,
  dataBytes: 0,
  terminalSeq: null,
  removedThrough: -1,
  fence: null,
};
