import { LRUCache } from 'lru-cache';
import { valuesOf } from '../feed/batches.ts';
import type { Reader } from '../feed/cursor.ts';
import { FEED_LIMITS } from '../feed/limits.ts';
import { withPatience } from '../feed/patience.ts';
import { createBell } from '../lib/bell.ts';
import { cancellable, unlessAborted } from '../lib/cancellable.ts';
import { createKeyCounts } from '../lib/key-counts.ts';
import { createTurns } from '../lib/turns.ts';
import { isListed, type RunListFilter } from '../store/lists.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { fault } from './faults.ts';
import type { RunRow } from './run.ts';
import { createRunChanges, type RunChanges } from './run-changes.ts';

/** What `runUpdated` takes on. */
export interface RunUpdateLimits {
  /** Different filters that one connection watches at once. */
  readonly filtersPerConnection: number;
  /**
   * How many more different filters the process watches than connections: each connection's first is always taken. Of
   * connections with few filters ten times as many; {@link shareOf} says how many.
   */
  readonly filters: number;
  /** Changed runs that wait for one subscriber who does not read; with more the subscription is cut. */
  readonly waitingRuns: number;
  /** Rows that are kept for those who take them later; others are read again. */
  readonly keptRows: number;
}

export const RUN_UPDATE_LIMITS: RunUpdateLimits = {
  filtersPerConnection: 20,
  filters: 1_000,
  waitingRuns: 10_000,
  keptRows: 500,
};

/** Rows that a subscriber takes at once. */
const PORTION_RUNS = 8;
/** Conditions that are looked at in one turn of the event loop. One that is slow on purpose takes 0.1 ms. */
const CONDITIONS_PER_TURN = 256;
/** What waking one subscriber counts, who then takes the row, writes it and sends it. */
const WAKING = 4;
/** Where filters get scarce, those of connections that have most are refused first: the last ones a second filter. */
const SPARE_FILTERS = 10;
/** Workspaces whose changes wait for their turn; beyond that, those who follow have to begin again. */
const MAX_WAITING_WORKSPACES = 10_000;

/** A row with what filters look at. */
export type UpdatedRun = RunRow & { readonly job: { readonly status: string } | null };

/** Tells who follows runs of their changes. Each change is read once, whatever the number of those who follow. */
export interface RunUpdates {
  /**
   * Opens a reader of the rows that match, whenever they change, in portions. Changes that nobody has taken yet fold
   * into the run's latest row. Null when the signal aborts first. Throws a fault beyond the limits; the reader throws
   * `StoreUnavailable` where the store stays down or too much waits.
   *
   * @param connection What limits per connection are counted by; undefined: only the process's limits hold.
   */
  open(
    filter: RunListFilter,
    connection: object | undefined,
    signal: AbortSignal,
  ): Promise<Reader<readonly UpdatedRun[]> | null>;
}

/** Those who watch with the same filter. */
interface Group {
  readonly key: string;
  readonly filter: RunListFilter;
  readonly watchers: Set<Watcher>;
}

/** One subscriber's changes that are still to be taken. */
interface Watcher {
  changed(run: number): void;
  failed(error: unknown): void;
}

interface Workspace {
  readonly groups: Map<string, Group>;
  readonly changes: RunChanges;
}

/** Creates the updates of one process. They listen to the plane while somebody follows. */
export function createRunUpdates(
  store: Pick<Store, 'catalog'>,
  wakeups: WakeupPlane,
  limits: RunUpdateLimits = RUN_UPDATE_LIMITS,
): RunUpdates {
  const workspaces = new Map<string, Workspace>();
  const latest = new LRUCache<number, UpdatedRun>({ max: limits.keptRows });
  const perConnection = createKeyCounts<string>(limits.filtersPerConnection);
  const turns = createTurns({ costPerTurn: CONDITIONS_PER_TURN, maxWaiting: MAX_WAITING_WORKSPACES });
  let filters = 0;
  /** Connections that watch at least one filter. */
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
    const groups = new Map<string, Group>();
    const watchers = () => [...groups.values()].flatMap((group) => [...group.watchers]);
    const changes = createRunChanges(name, wakeups, {
      read,
      changed: async (rows, signal) => {
        // Who comes while the turns pass has not missed these rows: they changed before.
        const present = [...groups.values()];
        for (const row of rows) {
          for (const group of present) {
            const later = turns.take(groups, conditionsOf(group.filter));
            if (later) await later;
            if (signal.aborted) return;
            if (isListed(group.filter, row)) await wake(groups, group, row, signal);
          }
        }
      },
      failed: (error) => {
        for (const watcher of watchers()) watcher.failed(error);
      },
    });
    const workspace = { groups, changes };
    workspaces.set(name, workspace);
    return workspace;
  }

  async function wake(owner: object, { watchers }: Group, { key }: UpdatedRun, signal: AbortSignal) {
    for (const watcher of [...watchers]) {
      const later = turns.take(owner, WAKING);
      if (later) await later;
      if (signal.aborted) return;
      if (watchers.has(watcher)) watcher.changed(key);
    }
  }

  /** Adds a watcher to its group, and answers what removes it. */
  function join(filter: RunListFilter, connection: object | undefined, watcher: Watcher) {
    const key = JSON.stringify(filter);
    // Who has no connection of its own that is known asks once: it is its own.
    const counted = connection ?? {};
    const leaveConnection = countOn(counted, key);
    const workspace = workspaces.get(filter.workspace) ?? openWorkspace(filter.workspace);
    let group = workspace.groups.get(key);
    if (!group) {
      // What everybody follows is one filter for all of them.
      const further = perConnection.size(counted) - 1;
      if (further > 0 && filters - connections >= shareOf(further) * limits.filters && !isEmpty(filter)) {
        leaveConnection();
        if (workspace.groups.size === 0) workspaces.delete(filter.workspace);
        throw fault('OVERLOADED', `more than ${limits.filters} filters are watched: try again later`);
      }
      filters += 1;
      group = { key, filter, watchers: new Set() };
      workspace.groups.set(key, group);
    }
    const joined = group;
    joined.watchers.add(watcher);
    const leave = () => {
      if (!joined.watchers.delete(watcher)) return;
      leaveConnection();
      if (joined.watchers.size > 0) return;
      filters -= 1;
      workspace.groups.delete(key);
      if (workspace.groups.size > 0) return;
      workspaces.delete(filter.workspace);
      workspace.changes.close();
    };
    return { leave, listening: workspace.changes.listening };
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
    const message = `more than ${limits.filtersPerConnection} filters of runUpdated on one connection: open another`;
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
          watcher.failed(new StoreUnavailable('more changed runs wait than are kept for a subscriber'));
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
          // It may have changed again since it matched.
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
        // A run that is gone for good must not be asked for again and again.
        for (const run of missing) if (!latest.has(run)) waiting.delete(run);
      },
      close: leave,
    };
    return reader;
  }

  return { open };
}

/** For a connection's filter after so many others: how full the process may be, as a multiple of its limit. */
function shareOf(others: number): number {
  return Math.max(1, SPARE_FILTERS / others);
}

/** How many conditions a filter comes to, its own among them. */
function conditionsOf({ labels, words }: RunListFilter): number {
  return 1 + Object.keys(labels).length + words.length;
}

/** Whether all runs of a workspace match. */
function isEmpty({ workspace: _, labels, words, ...conditions }: RunListFilter): boolean {
  const isFree = Object.values(conditions).every((condition) => condition === null);
  return isFree && Object.keys(labels).length === 0 && words.length === 0;
}

/** What {@link RunUpdates} tells, row by row. */
export function followRuns(
  updates: RunUpdates,
  filter: RunListFilter,
  connection: object | undefined,
): AsyncGenerator<UpdatedRun, void, undefined> {
  return cancellable(async function* (signal) {
    for await (const rows of valuesOf(() => updates.open(filter, connection, signal))) yield* rows;
  });
}
