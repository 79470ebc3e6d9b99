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

/** The greatest whole number that the contract allows. */
export const GREATEST = Number.MAX_SAFE_INTEGER;

/** A run that nobody made yet, in a workspace of its own. */
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

/** A producer's event with its number; the rest is the same in all unless given. */
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

/** As many events as asked for, numbered from `first`. */
export function events(first: number, count: number): StoredEvent[] {
  return Array.from({ length: count }, (_, index) => event(first + index));
}

/** The append that puts events behind a head, with the head that follows from them. */
export function append(
  run: Pick<RunRecord, 'key'>,
  head: Head,
  added: readonly StoredEvent[],
  changes: Partial<Append> = {},
): Append {
  const last = added.at(-1);
  if (!last) throw new Error('an append has at least one event');
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

/** Creates a run whose log holds these events. */
export async function createLog(store: Store, added: readonly StoredEvent[]): Promise<RunRecord> {
  const run = await createRun(store);
  await store.commit([append(run, EMPTY_HEAD, added)]);
  return run;
}

/** The whole log, read forward in one page without limits worth the name. */
export async function readLog(store: Store, run: Pick<RunRecord, 'key'>): Promise<readonly StoredEvent[]> {
  const page = await store.readPage(run.key, -1, { maxEvents: 1_000_000, maxBytes: GREATEST });
  if (!page) throw new Error(`run ${run.key} is not there`);
  return page.events;
}
