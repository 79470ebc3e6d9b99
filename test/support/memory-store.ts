import type { CatalogClient } from '../../src/store/catalog.ts';
import type { JobStore } from '../../src/store/jobs.ts';
import type { ListStore } from '../../src/store/lists.ts';
import type { NativeRunStore } from '../../src/store/native-runs.ts';
import {
  type Append,
  EMPTY_HEAD,
  type EndedPlace,
  type Head,
  type RunRecord,
  type Store,
  type StoredEvent,
} from '../../src/store/store.ts';

function byEnd(one: EndedPlace, other: EndedPlace): number {
  return one.endedAt - other.endedAt || one.key - other.key;
}

/**
 * A store in memory, with controls for retention. Everything here that does not return a promise takes effect
 * at once.
 */
export interface MemoryStore extends Store {
  /** Returns everything committed to the run, in order, including removed events. */
  committed(run: number): readonly StoredEvent[];
  removedThrough(run: number): number;
  /** Acts like retention: moves the mark, then removes the events up to it. */
  removeThrough(run: number, seq: number): void;
}

interface Log {
  readonly identity: Omit<RunRecord, keyof Head>;
  head: Head;
  endedAt: number | null;
  /** All events. Removed ones stay here, invisible to readers. */
  readonly events: StoredEvent[];
}

/**
 * Creates a store that keeps the store's contract in memory. Each call does its work in one step and awaits
 * `turn` before and after it, so the caller who schedules turns decides in which order calls take effect and
 * answers arrive. The store claims to be Postgres, so that its users must expect other writers.
 */
export function createMemoryStore(turn: (call: string) => Promise<unknown> = async () => {}): MemoryStore {
  const logs = new Map<number, Log>();
  const keys = new Map<string, number>();

  async function call<Answer>(name: string, work: () => Answer): Promise<Answer> {
    await turn(`${name} begins`);
    const answer = work();
    await turn(`${name} answers`);
    return answer;
  }

  function find(workspace: string, id: string): RunRecord | null {
    const log = logs.get(keys.get(JSON.stringify([workspace, id])) ?? -1);
    return log ? { ...log.identity, ...log.head } : null;
  }

  function store({ run, expectedLastSeq, events, head, endedAt }: Append): number[] {
    const log = logs.get(run);
    if (!log || log.head.lastSeq !== expectedLastSeq) return [];
    log.events.push(...events);
    log.head = { ...head, removedThrough: log.head.removedThrough };
    log.endedAt ??= endedAt;
    return [run];
  }

  function visible(log: Log | undefined): readonly StoredEvent[] {
    return log?.events.filter(({ seq }) => seq > log.head.removedThrough) ?? [];
  }

  function lastBeforeEnd(log: Log): StoredEvent | undefined {
    return visible(log).findLast(({ seq }) => seq < (log.head.terminalSeq ?? -1));
  }

  return {
    dialect: 'postgres',
    id: 'memory',
    file: null,
    catalog: {} as CatalogClient,
    lists: {} as ListStore,
    jobs: {} as JobStore,
    nativeRuns: {} as NativeRunStore,
    createRun: (run) =>
      call('createRun', () => {
        const known = find(run.workspace, run.id);
        if (known) return { created: false, run: known };
        const key = logs.size + 1;
        const { workspace, id, provider, runtime } = run;
        keys.set(JSON.stringify([workspace, id]), key);
        logs.set(key, {
          identity: { key, workspace, id, provider, runtime },
          head: EMPTY_HEAD,
          endedAt: null,
          events: [],
        });
        return { created: true, run: find(workspace, id)! };
      }),
    findRun: (workspace, id) => call('findRun', () => find(workspace, id)),
    readHeads: (runs) =>
      call('readHeads', () => {
        const found = runs.flatMap((run) => logs.get(run) ?? []);
        return new Map(found.map(({ identity, head }) => [identity.key, head]));
      }),
    commit: (appends) => call('commit', () => new Set(appends.flatMap(store))),
    readPage: (run, after, { maxEvents, maxBytes, strict }, direction = 'forward') =>
      call('readPage', () => {
        const log = logs.get(run);
        if (!log) return null;
        const ahead =
          direction === 'forward'
            ? visible(log).filter(({ seq }) => seq > after)
            : visible(log)
                .filter(({ seq }) => seq < after)
                .reverse();
        const fitting: StoredEvent[] = [];
        let bytes = 0;
        for (const event of ahead.slice(0, maxEvents)) {
          const { seq, kind, data } = event;
          if (strict && bytes + data.length > maxBytes)
            return { events: fitting, head: log.head, omitted: { seq, kind, bytes: data.length } };
          if (bytes >= maxBytes) break;
          fitting.push(event);
          bytes += data.length;
        }
        return { events: fitting, head: log.head };
      }),
    readProduced: (run, numbers) =>
      call('readProduced', () =>
        visible(logs.get(run)).flatMap((event) => {
          const asked = numbers.find(({ sourceSeq }) => sourceSeq === event.sourceSeq);
          if (!asked) return [];
          return [Buffer.byteLength(event.data) <= asked.maxDataBytes ? event : { ...event, data: null }];
        }),
      ),
    readClock: () => call('readClock', () => Date.now()),
    readEnded: (after, before, limit) =>
      call('readEnded', () =>
        [...logs.values()]
          .flatMap((log) => {
            const { key, workspace } = log.identity;
            const { endedAt } = log;
            if (endedAt === null || endedAt >= before) return [];
            return [{ key, workspace, endedAt, removed: lastBeforeEnd(log) === undefined }];
          })
          .sort(byEnd)
          .filter((run) => byEnd(run, after) > 0)
          .slice(0, limit),
      ),
    markRemoved: (run) =>
      call('markRemoved', () => {
        const log = logs.get(run);
        const last = log && lastBeforeEnd(log);
        if (last) log.head = { ...log.head, removedThrough: last.seq };
      }),
    // Marked events are invisible at once, so nothing is left to delete.
    deleteRemoved: () => call('deleteRemoved', () => null),
    setTerminalAside: () => call('setTerminalAside', () => {}),
    ping: async () => {},
    close: async () => {},
    committed: (run) => logs.get(run)?.events ?? [],
    removedThrough: (run) => logs.get(run)?.head.removedThrough ?? -1,
    removeThrough: (run, seq) => {
      const log = logs.get(run);
      if (!log || log.head.removedThrough >= seq) return;
      log.head = { ...log.head, removedThrough: seq };
    },
  };
}
