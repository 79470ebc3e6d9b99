import type { ProducedBatch, ProducedEvent } from '../../src/ingest/judge.ts';
import type { RunKey } from '../../src/store/run-keys.ts';
import type { Store, StoredEvent } from '../../src/store/store.ts';
import { readLog } from '../suites/store-records.ts';

/** Returns an event as a producer sends it. */
export function sent(seq: number, changes: Partial<ProducedEvent> = {}): ProducedEvent {
  return { seq, tMs: 1_000, kind: 'assistant_text', data: `{"n":${seq}}`, ...changes };
}

/** Returns a batch of these events. `previousSeq` defaults to null. */
export function batch(
  events: readonly (ProducedEvent | number)[],
  previousSeq: number | null = null,
): ProducedBatch {
  return { events: events.map((event) => (typeof event === 'number' ? sent(event) : event)), previousSeq };
}

/** Returns the numbers in a run's log: the log's own, and the producer's. */
export async function numbersOf(
  store: Store,
  run: RunKey,
): Promise<Pick<StoredEvent, 'seq' | 'sourceSeq'>[]> {
  return (await readLog(store, run)).map(({ seq, sourceSeq }) => ({ seq, sourceSeq }));
}

/** Returns the producer's numbers in a run's log. */
export async function producedIn(store: Store, run: RunKey): Promise<number[]> {
  return (await numbersOf(store, run)).flatMap(({ sourceSeq }) => sourceSeq ?? []);
}
