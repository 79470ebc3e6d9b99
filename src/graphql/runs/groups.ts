import { createBell } from '../../lib/waiting/bell.ts';
import type { Turns } from '../../lib/waiting/turns.ts';
import { isListed, type RunListFilter } from '../../store/lists.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { ChangedRows } from './changed-rows.ts';
import type { UpdatedRun } from './row.ts';

/** The most work of one visit, in conditions per subscriber. A group with no more than this left is finished. */
const CONDITIONS_PER_VISIT = 256;
/** The work of a visit to a group that has more left: one row, or a few that cost little. */
const CONDITIONS_PER_STEP = 16;
/**
 * The conditions checked per changed row before later changes stop waiting for groups that are behind. Nobody
 * falls behind while all filters together have fewer, such as 500 filters of three words.
 */
const CONDITIONS_PER_ROW = 2_048;
/** The cost, in conditions, of notifying one subscriber, which then takes, writes and sends the row. */
const WAKING = 4;
/** The position of nothing: the subscriber has failed. */
const NEVER = Number.POSITIVE_INFINITY;

/** Receives the changes for one subscriber. */
export interface Watcher {
  changed(run: number): void;
  failed(error: unknown): void;
}

/**
 * The subscribers of one workspace, grouped by filter. Groups that are behind take turns, so a group with
 * slow filters or many rows to check delays mostly itself.
 */
export interface RunGroups {
  /** Returns the number of groups. */
  size(): number;
  has(key: string): boolean;
  /**
   * Adds a watcher of the rows that change from now on. Returns a function that removes it, and returns true
   * if it was the last one of its group.
   */
  join(key: string, filter: RunListFilter, watcher: Watcher): () => boolean;
  /**
   * Adds rows for all groups. Resolves once they are all checked, or much work was done: a group that
   * is behind delays later changes only for a while. Once it is too far behind, its watchers fail.
   */
  changed(rows: readonly UpdatedRun[], signal: AbortSignal): Promise<void>;
  /** Fails all watchers. */
  failed(error: unknown): void;
}

/** All watchers with the same filter. */
interface Group {
  readonly filter: RunListFilter;
  readonly conditions: number;
  /** Each watcher with the position of its first row. */
  readonly watchers: Map<Watcher, number>;
  /** The position of the next row to check. */
  next: number;
}

/** Creates the groups of a workspace, which has none yet. The turns are shared with other workspaces. */
export function createRunGroups(rows: ChangedRows, turns: Turns): RunGroups {
  const groups = new Map<string, Group>();
  /** The groups that have rows to check, in the order of their visits. */
  const behind = new Set<Group>();
  const bell = createBell();
  let isServing = false;
  /** The conditions checked so far. Subscribers that are notified do not count: one filter may have thousands. */
  let checked = 0;

  const take = (cost: number) => turns.take(groups, cost);

  function failed(error: unknown): void {
    for (const { watchers } of groups.values()) for (const watcher of watchers.keys()) watcher.failed(error);
  }

  async function serve(): Promise<void> {
    isServing = true;
    try {
      // The loop also reaches groups that are added meanwhile, at the end.
      for (const group of behind) {
        behind.delete(group);
        await visit(group);
        if (isBehind(group)) behind.add(group);
        bell.ring();
      }
    } catch (error) {
      behind.clear();
      failed(error);
    }
    rows.clear();
    isServing = false;
    bell.ring();
  }

  function isBehind({ watchers, next }: Group): boolean {
    return watchers.size > 0 && next < rows.end();
  }

  /**
   * Finishes a group that has little left, because then all such groups are done in one round. Otherwise takes
   * a small step, so that the round is short however far the groups are behind.
   */
  async function visit(group: Group): Promise<void> {
    const pending = (rows.end() - group.next) * group.conditions;
    let left = pending <= CONDITIONS_PER_VISIT ? CONDITIONS_PER_VISIT : CONDITIONS_PER_STEP;
    while (left > 0 && isBehind(group)) {
      if (group.next < rows.start()) return cutOff(group);
      left -= await check(group);
    }
  }

  /** Checks the next row. Returns the cost per subscriber. */
  async function check(group: Group): Promise<number> {
    const position = group.next;
    const cost = rows.at(position) ? group.conditions : 1;
    checked += cost;
    const later = take(cost);
    if (later) await later;
    // Null also if the row was dropped during the wait.
    const row = rows.at(position);
    if (position < rows.start()) return cost;
    group.next = position + 1;
    if (!row || !isListed(group.filter, row)) return cost;
    await wake(group, row, position);
    return cost + WAKING;
  }

  async function wake({ watchers }: Group, { key }: UpdatedRun, position: number): Promise<void> {
    for (const [watcher, from] of [...watchers]) {
      if (position < from) continue;
      const later = take(WAKING);
      if (later) await later;
      if (watchers.has(watcher)) watcher.changed(key);
    }
  }

  /** Fails the watchers that have missed rows. Others may have joined since. */
  async function cutOff(group: Group): Promise<void> {
    const { watchers } = group;
    for (const [watcher, from] of [...watchers]) {
      if (from >= rows.start()) continue;
      const later = take(WAKING);
      if (later) await later;
      if (!watchers.has(watcher)) continue;
      watchers.set(watcher, NEVER);
      watcher.failed(new StoreUnavailable('more runs change than the server can compare with this filter'));
    }
    group.next = Math.max(group.next, firstOf(watchers));
  }

  function join(key: string, filter: RunListFilter, watcher: Watcher): () => boolean {
    const group = groups.get(key) ?? createGroup(filter);
    groups.set(key, group);
    group.watchers.set(watcher, rows.end());
    group.next = Math.min(group.next, rows.end());
    return () => {
      group.watchers.delete(watcher);
      if (group.watchers.size > 0) return false;
      groups.delete(key);
      behind.delete(group);
      return true;
    };
  }

  async function changed(added: readonly UpdatedRun[], signal: AbortSignal): Promise<void> {
    rows.append(added);
    for (const group of groups.values()) if (isBehind(group)) behind.add(group);
    if (!isServing) void serve();
    const enough = checked + added.length * CONDITIONS_PER_ROW;
    await bell.until(() => !isServing || checked >= enough, signal);
  }

  return { size: () => groups.size, has: (key) => groups.has(key), join, changed, failed };
}

/** Creates a group that wants no rows yet. */
function createGroup(filter: RunListFilter): Group {
  return { filter, conditions: conditionsOf(filter), watchers: new Map(), next: NEVER };
}

/** Returns the number of conditions in a filter, plus one for the filter itself. */
function conditionsOf({ labels, words }: RunListFilter): number {
  return 1 + Object.keys(labels).length + words.length;
}

function firstOf(watchers: ReadonlyMap<Watcher, number>): number {
  let first = NEVER;
  for (const from of watchers.values()) first = Math.min(first, from);
  return first;
}
