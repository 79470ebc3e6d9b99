import type { ProviderRuntimeJobStatus, RunProvider } from '../contract/jobs.ts';

/** Which runs a list holds: all conditions must hold; null leaves one out. Times are Unix milliseconds. */
export interface RunListFilter {
  readonly workspace: string;
  readonly providers: readonly RunProvider[] | null;
  readonly ended: boolean | null;
  /** Runs that have a job in one of these statuses. */
  readonly jobStatuses: readonly ProviderRuntimeJobStatus[] | null;
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
  /** A run has the label when the JSON text of its value is the same: `1` is not `"1"`. */
  readonly labels: Readonly<Record<string, string | number | boolean>>;
  /** Each one is somewhere in the title, in any case. */
  readonly words: readonly string[];
}

/** Which jobs a list holds, likewise. */
export interface JobListFilter {
  readonly workspace: string;
  readonly statuses: readonly ProviderRuntimeJobStatus[] | null;
  readonly providers: readonly RunProvider[] | null;
  readonly runner: string | null;
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
}

/** A part of a list, which is ordered by the runs' keys, the newest first. */
export interface ListPage {
  /** The key next to the page, which is not on it; null: the page is at the list's start or, backwards, its end. */
  readonly cursor: number | null;
  /** `older` reads on from the cursor; `newer` reads back from it. */
  readonly direction: 'older' | 'newer';
  /** How many keys the page holds at most. */
  readonly limit: number;
}

/**
 * Finds the pages of lists. Answers the runs' keys, the newest first. No list reading occupies the event loop: Postgres
 * answers it, or a thread that works on many readings in turn. `owner` is the client, such as its socket: owners take
 * turns, so an owner with many readings delays only itself. Without an owner a reading is an owner of its own.
 * What an owner that emits `close` still has waiting may be dropped. Throws
 * {@link TooManyReadings}, and `StoreUnavailable` when the store cannot read.
 */
export interface ListStore {
  runs(filter: RunListFilter, page: ListPage, owner?: object): Promise<readonly number[]>;
  jobs(filter: JobListFilter, page: ListPage, owner?: object): Promise<readonly number[]>;
}

/** Too many list readings wait already, of one owner or in all. The store itself works. */
export class TooManyReadings extends Error {
  override readonly name = 'TooManyReadings';
}

/** What {@link isListed} looks at. */
export interface ListedRun {
  readonly workspace: string;
  readonly provider: string;
  readonly endedAt: bigint | null;
  readonly createdAt: bigint;
  readonly labels: unknown;
  readonly title: string | null;
  readonly job: { readonly status: string } | null;
}

/** Whether a run that was read belongs into a list: the same conditions as the statements in `list-statements.ts`. */
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
  /** The name and the value's JSON of each label. */
  readonly labels: readonly (readonly [string, string])[];
  readonly words: readonly string[];
}

interface FoldedRun {
  readonly labels: ReadonlyMap<string, string>;
  readonly title: string | null;
}

// Thousands of filters meet thousands of rows: both are folded once each, as long as they live.
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
