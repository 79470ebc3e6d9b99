import { EMPTY_HEAD, type RunRecord, type Store, type StoredEvent } from '../../src/store/store.ts';
import { append, createRun, event, events, setEnd } from '../suites/store-records.ts';

/** Creates a run with `count` events and a terminal event, which ended at that time. */
export async function endedRun(store: Store, count: number, endedAt: number): Promise<RunRecord> {
  const run = await createRun(store);
  const log = [...events(0, count), event(count, { kind: 'runtime_terminal' })];
  await store.commit([append(run, EMPTY_HEAD, log, { endedAt })]);
  await setEnd(store, run, endedAt);
  return run;
}

/** Creates a run with `count` events that has not ended. */
export async function runningRun(store: Store, count: number): Promise<RunRecord> {
  const run = await createRun(store);
  await store.commit([append(run, EMPTY_HEAD, events(0, count))]);
  return run;
}

/** Returns the numbers of the events that are left in a log. */
export async function seqsOf(store: Store, run: Pick<RunRecord, 'key'>): Promise<number[]> {
  const seqs: number[] = [];
  for (let after = -1; ; after = seqs.at(-1)!) {
    const page: readonly StoredEvent[] = (await store.readPage(run.key, after, {
      maxEvents: 1_000,
      maxBytes: 2 ** 30,
    }))!.events;
    if (page.length === 0) return seqs;
    seqs.push(...page.map(({ seq }) => seq));
  }
}

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;
