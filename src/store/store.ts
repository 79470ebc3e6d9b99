import type { RunnerEventKind } from '../contract/events.ts';
import type { RunProvider } from '../contract/jobs.ts';
import type { CatalogClient } from './catalog.ts';
import type { JobStore } from './jobs.ts';
import type { ListStore } from './lists.ts';
import type { NativeRunStore } from './native-runs.ts';

/** The two ways in which a run's runtime is reached: at its provider, or as a job of ours. */
export const RUN_RUNTIMES = ['native', 'managed'] as const;

/** One of {@link RUN_RUNTIMES}. */
export type RunRuntime = (typeof RUN_RUNTIMES)[number];

/** Where a run's log stands. Moves only in the commit that appends. */
export interface Head {
  /** Number of the last event; -1 in an empty log. */
  readonly lastSeq: number;
  /** The producer's own last number; -1 before its first event. */
  readonly lastSourceSeq: number;
  /** Unix milliseconds of the last event; 0 in an empty log. */
  readonly lastTMs: number;
  readonly eventCount: number;
  /** How many of the events are the server's own. */
  readonly serverEvents: number;
  /** UTF-8 bytes of the data of all events. A run of an older version counts from its first new event on. */
  readonly dataBytes: number;
  /** Number of the terminal event; null while the run goes on. */
  readonly terminalSeq: number | null;
  /** Everything up to here was removed by retention; -1: nothing was. */
  readonly removedThrough: number;
  /**
   * Whose events the log takes: null: anybody's; empty: nobody's yet; else those of the instance that claimed the job, or
   * of the process that follows the run's provider.
   */
  readonly fence: string | null;
}

/** A run as it is stored. `key` is the small number that events refer to. Times are Unix milliseconds. */
export interface RunRecord extends Head {
  readonly key: number;
  readonly workspace: string;
  readonly id: string;
  readonly provider: RunProvider;
  readonly runtime: RunRuntime;
}

/** What a new run is made of. `labels` is the text of a JSON object. */
export interface NewRun {
  readonly workspace: string;
  readonly id: string;
  readonly provider: RunProvider;
  readonly runtime: RunRuntime;
  readonly title: string | null;
  readonly labels: string;
  readonly createdAt: number;
}

/** An event in the log. `data` is JSON text with its escapes: the one form that both databases keep exactly. */
export interface StoredEvent {
  readonly seq: number;
  /** The producer's number; null on the server's own events. */
  readonly sourceSeq: number | null;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
  /** Unix milliseconds, given once by the process that committed. */
  readonly committedAt: number;
}

/** New events for one run: stored only if the log still ends at `expectedLastSeq`, and has the fence of `head`. */
export interface Append {
  readonly run: number;
  readonly expectedLastSeq: number;
  readonly events: readonly StoredEvent[];
  /** The head once the events are stored. */
  readonly head: Head;
  /** When the runtime was ready, if one of the events says so; a run keeps its first. */
  readonly startedAt: number | null;
  /** When the run ended, if the last of the events is terminal. */
  readonly endedAt: number | null;
}

/** How much of a log one read may bring: it ends after `maxEvents`, or with the event that reaches `maxBytes`. */
export interface PageLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** How much of a log a page may bring. */
export interface PageReadLimits extends PageLimits {
  /** The page ends before the event that would bring it above `maxBytes`, which it names instead: even the first one. */
  readonly strict?: boolean;
}

/** An event that a page names without its data. */
export interface OmittedEvent {
  readonly seq: number;
  readonly kind: RunnerEventKind;
  /** UTF-8 bytes of its data. */
  readonly bytes: number;
}

/** A piece of a log in order, and the head as it was in the same snapshot. */
export interface Page {
  readonly events: readonly StoredEvent[];
  readonly head: Head;
  /** The event that comes next and was too large for a strict page. Its data has not been read. */
  readonly omitted?: OmittedEvent;
}

/** A producer's number, and how much of an event that has it is to be read. */
export interface ProducedNumber {
  readonly sourceSeq: number;
  /** UTF-8 bytes: data that is longer is not read. */
  readonly maxDataBytes: number;
}

/** An event that was looked for; its data is null where it is longer than was asked for. */
export type FoundEvent = Omit<StoredEvent, 'data'> & { readonly data: string | null };

/** A run that has ended, for whoever removes what is old. */
export interface EndedRun {
  readonly key: number;
  /** Unix milliseconds. */
  readonly endedAt: number;
  /** Whether its history is gone for good, with nothing left to do. */
  readonly removed: boolean;
}

/** A place among ended runs, which are ordered by when they ended, then by key. */
export type EndedPlace = Pick<EndedRun, 'key' | 'endedAt'>;

/** Which way a page is read from its cursor. */
export type PageDirection = 'forward' | 'backward';

/**
 * What is kept, and how. One implementation per SQL dialect; the same suite of tests runs against each.
 * A fault of the database itself is thrown as {@link StoreUnavailable} when trying again may help.
 */
export interface Store {
  readonly dialect: 'sqlite' | 'postgres';
  /** Names the database: the same for every process on it and for as long as it lives, and no other's. */
  readonly id: string;
  /** Prisma's model API, for reading rows by their keys. It never writes. */
  readonly catalog: CatalogClient;
  readonly lists: ListStore;
  readonly jobs: JobStore;
  readonly nativeRuns: NativeRunStore;
  /** Creates the run, or answers the one that has its id. */
  createRun(run: NewRun): Promise<{ readonly created: boolean; readonly run: RunRecord }>;
  findRun(workspace: string, id: string): Promise<RunRecord | null>;
  /** Heads of the runs that are there, by key. */
  readHeads(runs: readonly number[]): Promise<ReadonlyMap<number, Head>>;
  /**
   * Stores every append whose run still ends where expected, all in one durable commit and one round trip.
   * Answers the keys of the runs that were appended to; what is missing lost a race and is to be judged again.
   * At most one append per run.
   */
  commit(appends: readonly Append[]): Promise<ReadonlySet<number>>;
  /** The events after `after` (forward), or before it, nearest first (backward); null for an unknown run. */
  readPage(
    run: number,
    after: number,
    limits: PageReadLimits,
    direction?: PageDirection,
  ): Promise<Page | null>;
  /** Those of the producer's events that have these numbers. `serverEvents` is the head's: it bounds the search. */
  readProduced(run: number, numbers: readonly ProducedNumber[], serverEvents: number): Promise<FoundEvent[]>;
  /** At most `limit` runs after that place which ended before `before` (Unix milliseconds), in order. */
  readEnded(after: EndedPlace, before: number, limit: number): Promise<readonly EndedRun[]>;
  /**
   * Moves `removedThrough` of an ended run to its last event before the terminal one, in a durable commit of its own.
   * From then on every page read tells of the hole. Changes nothing of a run that goes on.
   */
  markRemoved(run: number): Promise<void>;
  /**
   * Deletes events after `after` that the run's `removedThrough` covers, oldest first, no more than the limits say, in
   * one commit. Answers the last one's number; null when there was nothing left.
   */
  deleteRemoved(run: number, after: number, limits: PageLimits): Promise<number | null>;
  /**
   * Puts the terminal event of a run that has nothing else left where it takes no room among those that go on. Reads
   * find it as before. Changes nothing of any other run.
   */
  setTerminalAside(run: number): Promise<void>;
  /**
   * Resolves when a write would succeed, by writing something of no consequence; throws why it would not. A store of
   * `openStore` does so at most once a second: in between, its last write or ping answers.
   */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The database cannot do it now. Whether anything of the call was stored is not known: read before writing again. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
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
