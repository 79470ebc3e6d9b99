import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { FEED_LIMITS } from '../../src/feed/limits.ts';
import { createIngest, INGEST_LIMITS } from '../../src/ingest/ingest.ts';
import { isResting } from '../../src/lib/waiting/pace.ts';
import type { RunKey } from '../../src/store/run-keys.ts';
import type { StoredEvent } from '../../src/store/store.ts';
import { newRun } from '../suites/store-records.ts';
import { failingCommits } from '../support/faulty-store.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createUnreliablePlane } from '../support/unreliable-plane.ts';
import type { RunPlan, SeamPlan, WriterKind } from './seam-plans.ts';
import { type SeamReader, startReader } from './seam-readers.ts';
import { createCommitter, createProducer, expectingYes, persist, type Writer } from './seam-writers.ts';
import type { Turns } from './turns.ts';

/** The longest timer in Node: the poll is called by hand here. */
const NEVER_MS = 2 ** 31 - 1;

/** A whole system in one process, whose store, plane, writers, feed and readers advance in turns. */
export interface Seam {
  readonly feed: Feed;
  readonly readers: readonly SeamReader[];
  /** Gives turns until nothing advances. */
  settle(): Promise<void>;
  /** Returns everything that was ever committed to the reader's run. */
  committed(reader: SeamReader): readonly StoredEvent[];
  /** Returns how far retention got in the reader's run. */
  removedThrough(reader: SeamReader): number;
  /** Dismisses the readers and returns how many registrations are left. */
  shutDown(): Promise<number>;
}

/** Waits for one iteration of the event loop in which turns may begin. After a busy turn, some have none. */
async function iterationWithTurns(): Promise<void> {
  do await new Promise(setImmediate);
  while (isResting());
}

/** Creates the system and its history, and starts all writers and readers. */
export async function startSeam(plan: SeamPlan, turns: Turns): Promise<Seam> {
  /** Turns of the event loop after which nothing advances without a turn from the scheduler. */
  const quietLoops = plan.limits.passedPerTurn < 1_000 ? 150 : 2;
  let history = true;
  const turn = async (step: string) => {
    if (!history) await turns.take(step);
  };
  const memory = createMemoryStore(turn);
  const faults = plan.faults.values();
  const store = failingCommits(memory, () => (history ? null : (faults.next().value ?? null)));
  let wakes = 0;
  const plane = createUnreliablePlane(() => plan.fates[wakes++ % plan.fates.length]!, turn);
  const feed = createFeed(memory, plane, {
    ...FEED_LIMITS,
    ...plan.limits,
    pollMs: NEVER_MS,
    rememberedEnds: 1,
  });
  // A pause after a lost race would not be scheduled, and room for many heads is half the cost of a schedule.
  const ingest = createIngest(store, plane, { ...INGEST_LIMITS, maxRetryPauseMs: 0, rememberedHeads: 16 });
  const writers: Record<WriterKind, Writer> = {
    ingest: expectingYes(ingest),
    commit: createCommitter(store, plane, true),
    elsewhere: createCommitter(store, plane, false),
  };

  const starts: (() => Promise<void>)[] = [];
  const runs: RunKey[] = [];
  for (const runPlan of plan.runs) {
    const { run } = await memory.createRun(newRun());
    runs.push(run);
    const producer = createProducer(run, writers);
    for (const batch of runPlan.history) await producer.send({ ...batch, writer: 'commit' });
    starts.push(...runStarts(runPlan, run, producer));
  }
  history = false;

  function runStarts(runPlan: RunPlan, run: RunKey, producer: ReturnType<typeof createProducer>) {
    const produce = async () => {
      for (const batch of runPlan.batches) {
        await turn('send');
        await producer.send(batch);
      }
      if (runPlan.ends) await producer.end(runPlan.batches.at(-1)?.writer ?? 'commit');
    };
    const addOwn = async () => {
      for (const writer of runPlan.own) {
        await turn('add');
        await persist(() => writers[writer].appendOwn(run, { kind: 'notification', data: '{}' }));
      }
    };
    const remove = async () => {
      if (runPlan.removed === 0) return;
      await turn('remove');
      // The last event stays, as a run's terminal event does.
      const seqs = memory
        .committed(run.key)
        .slice(0, -1)
        .map(({ seq }) => seq);
      const seq = seqs[Math.floor((seqs.length * runPlan.removed) / 1_000)];
      if (seq !== undefined) memory.removeThrough(run.key, seq);
    };
    return [produce, addOwn, remove];
  }

  async function poll(): Promise<void> {
    await turn('poll');
    await feed.poll();
  }

  const work = starts.map((start) => start());
  work.push(...Array.from({ length: plan.polls }, poll));
  const readers = plan.readers.map((reader) => startReader(feed, keyOf(reader.run), reader, turn));
  const failures: unknown[] = [];
  for (const part of [...work, ...readers.map(({ done }) => done)])
    part.catch((error) => failures.push(error));

  function keyOf(index: number): number {
    return runs[index % runs.length]!.key;
  }

  return {
    feed,
    readers,
    settle: async () => {
      for (;;) {
        await new Promise(setImmediate);
        if (failures.length > 0) throw failures[0];
        if (turns.give()) continue;
        // A group commit starts one turn of the event loop after the batch, and so does the read of a page.
        // Each portion that a filter checks may have to wait for another turn.
        for (let loops = 0; loops < quietLoops; loops++) await iterationWithTurns();
        if (failures.length > 0) throw failures[0];
        if (!turns.give()) return;
      }
    },
    committed: (reader) => memory.committed(keyOf(reader.log.plan.run)),
    removedThrough: (reader) => memory.removedThrough(keyOf(reader.log.plan.run)),
    shutDown: async () => {
      history = true;
      await Promise.all(readers.map((reader) => reader.dismiss()));
      await Promise.all([...work, ...readers.map(({ done }) => done)]);
      await ingest.close();
      // Counted first, because closing the feed would remove registrations that a reader has leaked.
      const listeners = plane.listeners();
      feed.close();
      return listeners;
    },
  };
}
