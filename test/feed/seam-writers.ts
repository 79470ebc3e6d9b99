import type { RunnerEventKind } from '../../src/contract/events.ts';
import type { Accepted, Ingest } from '../../src/ingest/ingest.ts';
import type { ProducedBatch, ProducedEvent, Rejection } from '../../src/ingest/judge.ts';
import { judgeRun } from '../../src/ingest/judge-run.ts';
import { RUN_SIZE_LIMITS } from '../../src/ingest/run-size.ts';
import type { RunKey } from '../../src/store/run-keys.ts';
import type { Store } from '../../src/store/store.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import type { WakeupPlane } from '../../src/wakeups/plane.ts';
import type { BatchPlan, WriterKind } from './seam-plans.ts';

/** Writes events to logs. */
export interface Writer {
  append(run: RunKey, batch: ProducedBatch): Promise<unknown>;
  appendOwn(run: RunKey, event: Pick<ProducedEvent, 'kind' | 'data'>): Promise<unknown>;
}

/** Creates a writer that reads the head, commits one batch and repeats both until the commit wins. */
export function createCommitter(store: Store, plane: WakeupPlane, chunks: boolean): Writer {
  async function write(
    run: RunKey,
    work: ProducedBatch | Pick<ProducedEvent, 'kind' | 'data'>,
  ): Promise<void> {
    for (;;) {
      const head = (await store.readHeads([run.key])).get(run.key)!;
      const submission = { run, work, bytes: 0, since: 0, settle: () => {}, fail: () => {} };
      const { append, outcomes } = await judgeRun(store, head, [submission], 0, RUN_SIZE_LIMITS);
      mustBeAccepted(outcomes[0]!.outcome);
      if (!append) return;
      if (!(await store.commit([append])).has(run.key)) continue;
      const chunk = { previousSeq: append.expectedLastSeq, events: append.events, head: append.head };
      const kind = append.head.terminalSeq === null ? 'appended' : 'ended';
      plane.publish([
        {
          run: run.key,
          workspace: run.workspace,
          kind,
          lastSeq: append.head.lastSeq,
          chunk: chunks ? chunk : null,
        },
      ]);
      return;
    }
  }
  return { append: write, appendOwn: write };
}

/** Wraps ingest for producers whose batches must not be rejected. */
export function expectingYes(ingest: Ingest): Writer {
  return {
    append: async (run, batch) => mustBeAccepted(await ingest.append(run, batch)),
    appendOwn: async (run, event) => mustBeAccepted(await ingest.appendOwn(run, event)),
  };
}

/** The server's own events may come after the terminal one, and retried events may have been removed. */
const EXPECTED: ReadonlySet<string> = new Set(['run_terminated', 'seq_not_monotonic']);

function mustBeAccepted(outcome: Pick<Accepted, 'ok'> | Rejection): void {
  if (!outcome.ok && !EXPECTED.has(outcome.code)) throw new Error(`rejected: ${outcome.message}`);
}

/** Retries a write for as long as the store is unavailable. */
export async function persist(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

const KINDS: readonly RunnerEventKind[] = ['assistant_text', 'notification', 'tool_request'];

/** Creates a run's producer, which numbers events and sends batches, each repeatedly until it is accepted. */
export function createProducer(run: RunKey, writers: Record<WriterKind, Writer>) {
  let seq = -1;
  let before: readonly ProducedEvent[] = [];

  async function send(plan: BatchPlan, events: readonly ProducedEvent[]): Promise<void> {
    const overlap = plan.overlap > 0 ? before.slice(-plan.overlap) : [];
    const batch = { events: [...overlap, ...events], previousSeq: null };
    before = events;
    await persist(() => writers[plan.writer].append(run, batch));
  }

  function next(step: number, changes: Partial<ProducedEvent> = {}): ProducedEvent {
    seq += step;
    return { seq, tMs: seq, kind: KINDS[seq % KINDS.length]!, data: `{"n":${seq}}`, ...changes };
  }

  return {
    send: (plan: BatchPlan) =>
      send(
        plan,
        plan.steps.map((step) => next(step)),
      ),
    end: (writer: WriterKind) =>
      send({ steps: [], overlap: 0, writer }, [next(1, { kind: 'runtime_terminal' })]),
  };
}
