import { randomUUID } from 'node:crypto';
import {
  type Append,
  EMPTY_HEAD,
  type Head,
  type NewRun,
  type RunRecord,
  type Store,
  type StoredEvent,
} from '../../src/store/store.ts';

/** The highest number that the contract allows. */
export const GREATEST = Number.MAX_SAFE_INTEGER;

/** Returns a new run in a separate workspace. */
export function newRun(changes: Partial<NewRun> = {}): NewRun {
  return {
    workspace: `workspace-${randomUUID()}`,
    id: 'run-1',
    provider: 'anthropic',
    runtime: 'managed',
    title: null,
    labels: '{}',
    createdAt: 1_700_000_000_000,
    ...changes,
  };
}

/** Creates a run with an empty log. */
export async function createRun(store: Store, changes: Partial<NewRun> = {}): Promise<RunRecord> {
  return (await store.createRun(newRun(changes))).run;
}

/** Returns a producer's event with this number. Everything else is the same for all events unless given. */
export function event(seq: number, changes: Partial<StoredEvent> = {}): StoredEvent {
  return {
    seq,
    sourceSeq: seq,
    tMs: 1_700_000_000_000,
    kind: 'assistant_text',
    data: '{"text":"hello"}',
    committedAt: 1_700_000_000_500,
    ...changes,
  };
}

/** Returns `count` events, numbered from `first`. */
export function events(first: number, count: number): StoredEvent[] {
  return Array.from({ length: count }, (_, index) => event(first + index));
}

/** Returns the append that puts events after a head, with the resulting head. */
export function append(
  run: Pick<RunRecord, 'key'>,
  head: Head,
  added: readonly StoredEvent[],
  changes: Partial<Append> = {},
): Append {
  const last = added.at(-1);
  if (!last) throw new Error('an append must have at least one event');
  const produced = added.flatMap(({ sourceSeq }) => sourceSeq ?? []);
  return {
    run: run.key,
    expectedLastSeq: head.lastSeq,
    events: added,
    head: {
      lastSeq: last.seq,
      lastSourceSeq: produced.at(-1) ?? head.lastSourceSeq,
      lastTMs: last.tMs,
      eventCount: head.eventCount + added.length,
      serverEvents: head.serverEvents + added.length - produced.length,
      dataBytes: added.reduce((sum, { data }) => sum + Buffer.byteLength(data), head.dataBytes),
      terminalSeq: last.kind === 'runtime_terminal' ? last.seq : head.terminalSeq,
      removedThrough: head.removedThrough,
      fence: head.fence,
    },
    startedAt: null,
    endedAt: null,
    ...changes,
  };
}

/**
 * Makes an ended run one that ended at this time. A commit to Postgres cannot: an end is never before the
 * database's clock.
 */
export async function setEnd(store: Store, { key }: Pick<RunRecord, 'key'>, endedAt: number): Promise<void> {
  if (store.dialect === 'sqlite') return;
  await store.catalog.$queryRawUnsafe(
    `UPDATE run SET ended_at = ${endedAt} WHERE key = ${key} RETURNING key`,
  );
}

/** Creates a run whose log contains these events. */
export async function createLog(store: Store, added: readonly StoredEvent[]): Promise<RunRecord> {
  const run = await createRun(store);
  await store.commit([append(run, EMPTY_HEAD, added)]);
  return run;
}

/** Reads the whole log forward in one page with practically no limits. */
export async function readLog(store: Store, run: Pick<RunRecord, 'key'>): Promise<readonly StoredEvent[]> {
  const page = await store.readPage(run.key, -1, { maxEvents: 1_000_000, maxBytes: GREATEST });
  if (!page) throw new Error(`run ${run.key} does not exist`);
  return page.events;
}
