import { LRUCache } from 'lru-cache';
import { totalsOf } from '../../config/totals.ts';
import { valuesOf } from '../../feed/batches.ts';
import type { Reader } from '../../feed/cursor.ts';
import { FEED_LIMITS } from '../../feed/limits.ts';
import { withPatience } from '../../feed/patience.ts';
import { cancellable, unlessAborted } from '../../lib/cancellable.ts';
import { createKeyCounts } from '../../lib/key-counts.ts';
import { createBell } from '../../lib/waiting/bell.ts';
import { createTurns } from '../../lib/waiting/turns.ts';
import { isListed, type RunListFilter } from '../../store/lists.ts';
import type { Store } from '../../store/store.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { WakeupPlane } from '../../wakeups/plane.ts';
import { fault } from '../errors/faults.ts';
import { createRowLists } from './changed-rows.ts';
import { createRunChanges, type RunChanges } from './changes.ts';
import { createRunGroups, type RunGroups, type Watcher } from './groups.ts';
import type { UpdatedRun } from './row.ts';

/** The limits of `runUpdated`. */
export interface RunUpdateLimits {
  /** The number of different filters that one connection may use at once. Default 20. */
  readonly filtersPerConnection: number;
  /**
   * The number of different filters in the process in addition to one per connection: the first filter of
   * each connection is always accepted. Connections with few filters may exceed it up to ten times, see
   * {@link shareOf}. Default 1,000.
   */
  readonly filters: number;
  /**
   * The number of changed runs that wait for a subscriber that does not read. Above this the subscription
   * fails. Default 10,000.
   */
  readonly waitingRuns: number;
  /** The number of rows that are cached for slow subscribers; other rows are read again. Default 500. */
  readonly keptRows: number;
  /**
   * The number of changes by which the subscribers of a filter may be behind in a workspace, because it takes
   * long to compare rows with so many filters. Above this their subscriptions fail. Default 500.
   */
  readonly rowsBehind: number;
  /** The total bytes of the rows that wait to be compared with filters. By default a part of the heap. */
  readonly bytesBehind: number;
}

export const RUN_UPDATE_LIMITS: RunUpdateLimits = {
  filtersPerConnection: 20,
  filters: 1_000,
  waitingRuns: 10_000,
  keptRows: 500,
  rowsBehind: 500,
  bytesBehind: totalsOf().changedRowBytes,
};

/** The maximum number of rows in a portion. */
const PORTION_RUNS = 8;
/** Conditions checked in one turn of the event loop. A deliberately slow condition takes 0.1 ms. */
const CONDITIONS_PER_TURN = 256;
/** When filters run short, connections with the most are refused first, and second filters last. */
const SPARE_FILTERS = 10;
/** Workspaces that may wait for a turn. Each has one piece of work at a time, so none is ever refused. */
const MAX_WAITING_WORKSPACES = 10_000;

/** Reports changes of runs to subscribers. Each change is read once, however many subscribers there are. */
export interface RunUpdates {
  /**
   * Opens a reader of the matching rows that change, in portions. Changes of one run that the subscriber has
   * not taken yet are merged into the latest row. Returns null if the signal aborts first. Throws OVERLOADED
   * above the limits; the reader throws `StoreUnavailable` if the store stays down or too many changes wait.
   *
   * @param connection The connection that limits per connection apply to. If undefined, only the limits of
   * the process apply.
   */
  open(
    filter: RunListFilter,
    connection: object | undefined,
    signal: AbortSignal,
  ): Promise<Reader<readonly UpdatedRun[]> | null>;
}

interface Workspace {
  readonly groups: RunGroups;
  readonly changes: RunChanges;
}

/** Creates the run updates of one process. They listen to the plane only while there are subscribers. */
export function createRunUpdates(
  store: Pick<Store, 'catalog'>,
  wakeups: WakeupPlane,
  limits: RunUpdateLimits = RUN_UPDATE_LIMITS,
): RunUpdates {
  const workspaces = new Map<string, Workspace>();
  const latest = new LRUCache<number, UpdatedRun>({ max: limits.keptRows });
  const perConnection = createKeyCounts<string>(limits.filtersPerConnection);
  const turns = createTurns({ costPerTurn: CONDITIONS_PER_TURN, maxWaiting: MAX_WAITING_WORKSPACES });
  const openRowList = createRowLists(limits.rowsBehind, limits.bytesBehind);
  let filters = 0;
  /** The number of connections with at least one filter. */
  let connections = 0;

  async function read(runs: readonly number[], signal: AbortSignal): Promise<readonly UpdatedRun[]> {
    const query = {
      where: { key: { in: [...runs] } },
      include: { job: { select: { status: true } } },
    };
    const once = () => store.catalog.run.findMany(query);
    const rows = await unlessAborted(withPatience(once, FEED_LIMITS.patienceMs, signal), signal);
    for (const row of rows ?? []) latest.set(row.key, row);
    return rows ?? [];
  }

  function openWorkspace(name: string): Workspace {
    const groups = createRunGroups(openRowList(), turns);
    const changes = createRunChanges(name, wakeups, { ...groups, read });
    const workspace = { groups, changes };
    workspaces.set(name, workspace);
    return workspace;
  }

  /** Adds a watcher to its group. Returns a function that removes the watcher again. */
  function join(filter: RunListFilter, connection: object | undefined, watcher: Watcher) {
    const key = JSON.stringify(filter);
    // A request without a known connection counts as a connection.
    const counted = connection ?? {};
    const leaveConnection = countOn(counted, key);
    const workspace = workspaces.get(filter.workspace) ?? openWorkspace(filter.workspace);
    const { groups, changes } = workspace;
    if (!groups.has(key)) {
      // The empty filter is always accepted: all its subscribers share one group.
      const further = perConnection.size(counted) - 1;
      if (further > 0 && filters - connections >= shareOf(further) * limits.filters && !isEmpty(filter)) {
        leaveConnection();
        if (groups.size() === 0) workspaces.delete(filter.workspace);
        throw fault(
          'OVERLOADED',
          `more than ${limits.filters} different filters are in use: try again later`,
        );
      }
      filters += 1;
    }
    const leaveGroup = groups.join(key, filter, watcher);
    let hasLeft = false;
    const leave = () => {
      if (hasLeft) return;
      hasLeft = true;
      leaveConnection();
      if (!leaveGroup()) return;
      filters -= 1;
      if (groups.size() > 0) return;
      workspaces.delete(filter.workspace);
      changes.close();
    };
    return { leave, listening: changes.listening };
  }

  function countOn(connection: object, key: string): () => void {
    const isFirst = perConnection.size(connection) === 0;
    const leave = perConnection.hold(connection, key);
    if (leave) {
      if (isFirst) connections += 1;
      return () => {
        leave();
        if (perConnection.size(connection) === 0) connections -= 1;
      };
    }
    const message = `a connection may use ${limits.filtersPerConnection} runUpdated filters: open another one`;
    throw fault('OVERLOADED', message);
  }

  async function open(filter: RunListFilter, connection: object | undefined, signal: AbortSignal) {
    const bell = createBell();
    const waiting = new Set<number>();
    let failure: { readonly error: unknown } | null = null;
    const watcher: Watcher = {
      changed: (run) => {
        waiting.add(run);
        if (waiting.size > limits.waitingRuns) {
          waiting.clear();
          watcher.failed(new StoreUnavailable('too many changed runs wait for this subscriber'));
        }
        bell.ring();
      },
      failed: (error) => {
        failure ??= { error };
        bell.ring();
      },
    };
    const { leave, listening } = join(filter, connection, watcher);
    try {
      await unlessAborted(listening, signal);
    } catch (error) {
      leave();
      throw error;
    }
    if (signal.aborted) {
      leave();
      return null;
    }

    const portion = () => [...waiting].slice(0, PORTION_RUNS);
    const reader: Reader<readonly UpdatedRun[]> = {
      weight: () => 0,
      take: () => {
        if (failure) throw failure.error;
        const rows: UpdatedRun[] = [];
        for (const run of portion()) {
          const row = latest.get(run);
          if (!row) continue;
          waiting.delete(run);
          // The row may have changed again since it matched.
          if (isListed(filter, row)) rows.push(row);
        }
        return rows.length > 0 ? rows : null;
      },
      ended: () => signal.aborted,
      ready: async () => {
        await bell.until(() => waiting.size > 0 || failure !== null, signal);
        const missing = portion().filter((run) => !latest.has(run));
        if (missing.length === 0 || failure || signal.aborted) return;
        await read(missing, signal);
        // A deleted run must not be requested again and again.
        for (const run of missing) if (!latest.has(run)) waiting.delete(run);
      },
      close: leave,
    };
    return reader;
  }

  return { open };
}

/** Returns how full the process may be for a connection with `others` filters, as a multiple of the limit. */
function shareOf(others: number): number {
  return Math.max(1, SPARE_FILTERS / others);
}

/** Returns true if the filter matches every run of the workspace. */
function isEmpty({ workspace: _, labels, words, ...conditions }: RunListFilter): boolean {
  const isFree = Object.values(conditions).every((condition) => condition === null);
  return isFree && Object.keys(labels).length === 0 && words.length === 0;
}

/** Yields the changed rows of {@link RunUpdates} one by one. */
export function followRuns(
  updates: RunUpdates,
  filter: RunListFilter,
  connection: object | undefined,
): AsyncGenerator<UpdatedRun, void, undefined> {
  return cancellable(async function* (signal) {
    for await (const rows of valuesOf(() => updates.open(filter, connection, signal))) yield* rows;
  });
}
