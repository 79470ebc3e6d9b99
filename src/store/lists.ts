import type { ProviderRuntimeJobStatus, RunProvider } from '../contract/jobs.ts';

/** Which runs a list contains. All conditions must hold; null is none. Times are Unix milliseconds. */
export interface RunListFilter {
  readonly workspace: string;
  readonly providers: readonly RunProvider[] | null;
  readonly ended: boolean | null;
  /** Runs that have a job in one of these statuses. */
  readonly jobStatuses: readonly ProviderRuntimeJobStatus[] | null;
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
  /** A label matches if the JSON text of its value is the same: `1` does not match `"1"`. */
  readonly labels: Readonly<Record<string, string | number | boolean>>;
  /** The title must contain each word, ignoring case. */
  readonly words: readonly string[];
}

/** Which jobs a list contains, by the same rules as {@link RunListFilter}. */
export interface JobListFilter {
  readonly workspace: string;
  readonly statuses: readonly ProviderRuntimeJobStatus[] | null;
  readonly providers: readonly RunProvider[] | null;
  readonly runner: string | null;
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
}

/** A page of a list. Lists are ordered by the runs' keys, the newest first. */
export interface ListPage {
  /**
   * The key next to the page, which is not part of it. Null: the page is at the start of the list or, for
   * `newer`, at its end.
   */
  readonly cursor: number | null;
  /** `older` reads forward from the cursor, `newer` reads backward. */
  readonly direction: 'older' | 'newer';
  /** The most keys in the page. */
  readonly limit: number;
}

/**
 * Finds the pages of lists. Returns the runs' keys, the newest first. No query occupies the event loop:
 * Postgres runs it, or a thread that works on many queries in turn. `owner` is the client, such as its
 * socket: owners take turns, so an owner with many queries delays only itself. A query without an owner
 * counts as a separate owner. Queries that still wait when their owner emits `close` may be dropped. Throws
 * {@link TooManyReadings}, and `StoreUnavailable` if the store cannot read.
 */
export interface ListStore {
  runs(filter: RunListFilter, page: ListPage, owner?: object): Promise<readonly number[]>;
  jobs(filter: JobListFilter, page: ListPage, owner?: object): Promise<readonly number[]>;
}

/** Too many list queries are already waiting, for one owner or in total. The store itself works. */
export class TooManyReadings extends Error {
  override readonly name = 'TooManyReadings';
}

/** The fields of a run that {@link isListed} compares. */
export interface ListedRun {
  readonly workspace: string;
  readonly provider: string;
  readonly endedAt: bigint | null;
  readonly createdAt: bigint;
  readonly labels: unknown;
  readonly title: string | null;
  readonly job: { readonly status: string } | null;
}

/** Returns true if a run belongs to a list, by the same conditions as the SQL in `list-statements.ts`. */
export function isListed(filter: RunListFilter, run: ListedRun): boolean {
  const { providers, ended, jobStatuses, createdFrom, createdBefore } = filter;
  const { labels, words } = memoized(foldedFilters, filter, foldFilter);
  return (
    run.workspace === filter.workspace &&
    (providers === null || providers.some((provider) => provider === run.provider)) &&
    (ended === null || ended === (run.endedAt !== null)) &&
    (jobStatuses === null || jobStatuses.some((status) => status === run.job?.status)) &&
    (createdFrom === null || run.createdAt >= createdFrom) &&
    (createdBefore === null || run.createdAt < createdBefore) &&
    (labels.length + words.length === 0 || hasTexts(labels, words, memoized(foldedRuns, run, foldRun)))
  );
}

/** The parts of a filter that are compared as text. */
interface FoldedFilter {
  /** Each label's name and the JSON text of its value. */
  readonly labels: readonly (readonly [string, string])[];
  readonly words: readonly string[];
}

interface FoldedRun {
  readonly labels: ReadonlyMap<string, string>;
  readonly title: string | null;
}

// Thousands of filters are compared with thousands of rows, so each filter and each row is folded only once.
const foldedFilters = new WeakMap<RunListFilter, FoldedFilter>();
const foldedRuns = new WeakMap<ListedRun, FoldedRun>();

function memoized<Key extends object, Value>(
  known: WeakMap<Key, Value>,
  key: Key,
  make: (key: Key) => Value,
): Value {
  const before = known.get(key);
  if (before) return before;
  const value = make(key);
  known.set(key, value);
  return value;
}

function foldFilter({ labels, words }: RunListFilter): FoldedFilter {
  return { labels: jsonEntries(labels), words: words.map((word) => word.toLowerCase()) };
}

function foldRun({ labels, title }: ListedRun): FoldedRun {
  return { labels: new Map(jsonEntries(labels)), title: title?.toLowerCase() ?? null };
}

function jsonEntries(labels: unknown): (readonly [string, string])[] {
  if (typeof labels !== 'object' || labels === null) return [];
  return Object.entries(labels).map(([label, value]) => [label, JSON.stringify(value)] as const);
}

function hasTexts(labels: FoldedFilter['labels'], words: readonly string[], run: FoldedRun): boolean {
  return (
    labels.every(([label, value]) => run.labels.get(label) === value) &&
    words.every((word) => run.title?.includes(word))
  );
}
