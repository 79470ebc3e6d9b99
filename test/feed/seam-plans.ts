import fc from 'fast-check';
import type { RunnerEventKind } from '../../src/contract/events.ts';
import type { CommitFault } from '../support/faulty-store.ts';
import type { WakeFate } from '../support/unreliable-plane.ts';

/** How events get into a log: through ingest, by a bare commit here, or by a commit of another process. */
export type WriterKind = 'ingest' | 'commit' | 'elsewhere';

/** A batch that a producer sends. */
export interface BatchPlan {
  /** The differences between the events' numbers. */
  readonly steps: readonly number[];
  readonly writer: WriterKind;
  /** The number of events of the previous batch that are sent again first. */
  readonly overlap: number;
}

/** What happens to one run. */
export interface RunPlan {
  /** The batches stored before any reader follows. */
  readonly history: readonly BatchPlan[];
  readonly batches: readonly BatchPlan[];
  /** The writers that commit the server's own events. */
  readonly own: readonly WriterKind[];
  /** True if the producer ends with a terminal event. */
  readonly ends: boolean;
  /** The share of the log that retention removes meanwhile, in thousandths. */
  readonly removed: number;
}

/** A connection that a reader leaves after some messages, with or without a pending `next()`. */
export interface ConnectionPlan {
  readonly messages: number;
  readonly leaves: 'between' | 'pending';
}

/** A reader: where it begins, what it requests, and the connections it leaves before it stays. */
export interface ReaderPlan {
  readonly run: number;
  readonly after: number;
  /** The most events in a batch. Null reads event by event. */
  readonly maxEvents: number | null;
  readonly kinds: readonly RunnerEventKind[] | null;
  readonly connections: readonly ConnectionPlan[];
}

/** A whole schedule except for the order of its steps. */
export interface SeamPlan {
  /** True if wakes may be lost and commits may fail. If false, the poll must not find anything. */
  readonly lossy: boolean;
  readonly runs: readonly RunPlan[];
  readonly readers: readonly ReaderPlan[];
  /** What happens to the wakes, repeated. */
  readonly fates: readonly WakeFate[];
  /** What happens to the first commits. */
  readonly faults: readonly (CommitFault | null)[];
  /** The number of polls at arbitrary points. */
  readonly polls: number;
  readonly limits: {
    readonly ringEvents: number;
    readonly pageEvents: number;
    readonly cachedPageBytes: number;
    readonly ringsBytes: number;
    readonly passedPerTurn: number;
  };
}

function batchPlan(lossy: boolean): fc.Arbitrary<BatchPlan> {
  return fc.record({
    steps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    writer: lossy
      ? fc.constantFrom<WriterKind>('commit', 'commit', 'elsewhere', 'ingest')
      : fc.constantFrom<WriterKind>('commit', 'commit', 'commit', 'ingest'),
    overlap: fc.constantFrom(0, 0, 1, 2),
  });
}

function runPlan(lossy: boolean): fc.Arbitrary<RunPlan> {
  return fc.record({
    history: fc.array(batchPlan(false), { maxLength: 2 }),
    batches: fc.array(batchPlan(lossy), { maxLength: 4 }),
    own: fc.array(fc.constantFrom<WriterKind>('commit', 'commit', lossy ? 'elsewhere' : 'commit', 'ingest'), {
      maxLength: 2,
    }),
    ends: fc.boolean(),
    removed: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 900 })),
  });
}

const readerPlan: fc.Arbitrary<ReaderPlan> = fc.record({
  run: fc.nat(1),
  after: fc.oneof(fc.constant(-1), fc.integer({ min: -1, max: 12 })),
  maxEvents: fc.option(fc.integer({ min: 1, max: 4 })),
  kinds: fc.constantFrom<readonly RunnerEventKind[] | null>(null, null, ['assistant_text'], ['notification']),
  connections: fc.array(
    fc.record({ messages: fc.nat(3), leaves: fc.constantFrom('between' as const, 'pending' as const) }),
    { maxLength: 3 },
  ),
});

/** Generates the plan of a schedule. */
export const seamPlan: fc.Arbitrary<SeamPlan> = fc.boolean().chain((lossy) =>
  fc.record({
    lossy: fc.constant(lossy),
    runs: fc.array(runPlan(lossy), { minLength: 1, maxLength: 2 }),
    readers: fc.array(readerPlan, { minLength: 1, maxLength: 4 }),
    fates: fc.array(
      fc.constantFrom<WakeFate>(
        'told',
        'told later',
        'told twice',
        ...(lossy ? (['told without its chunk', 'lost'] as const) : []),
      ),
      { minLength: 1, maxLength: 8 },
    ),
    faults: fc.array(fc.constantFrom<CommitFault | null>(null, null, 'lost before', 'lost after'), {
      maxLength: lossy ? 4 : 0,
    }),
    polls: lossy ? fc.nat(2) : fc.constant(0),
    limits: fc.record({
      ringEvents: fc.integer({ min: 1, max: 6 }),
      pageEvents: fc.integer({ min: 1, max: 4 }),
      cachedPageBytes: fc.constantFrom(1, 600, 1_000_000),
      ringsBytes: fc.constantFrom(1, 600, 1_500, 1_000_000),
      passedPerTurn: fc.constantFrom(1, 6, 1_000),
    }),
  }),
);
