import type { RunnerEvent, RunnerEventBatch } from '../../src/contract/events.ts';

/**
 * The batches that the producers of a run send. They are created on request and are the same for every
 * producer.
 */
export interface Script {
  readonly runId: string;
  /** Returns the batch at this index. Undefined after the last one. */
  at(index: number): RunnerEventBatch | undefined;
  /** Adds the terminal event, after which nothing follows. */
  end(): void;
  /** Returns every event of every batch so far. */
  events(): readonly RunnerEvent[];
}

const LARGEST_BATCH = 12;

/** Creates an endless script. Its numbers have gaps, and its batches differ in size. */
export function createScript(runId: string): Script {
  const batches: RunnerEventBatch[] = [];
  let lastSeq = -1;
  let ended = false;

  function event(kind: RunnerEvent['kind']): RunnerEvent {
    lastSeq += Math.random() < 0.2 ? 1 + Math.ceil(Math.random() * 5) : 1;
    return {
      seq: lastSeq,
      tMs: 1_000 + lastSeq,
      kind,
      data: { runId, text: `${lastSeq} `.repeat(lastSeq % 40) },
    };
  }
  function add(kinds: readonly RunnerEvent['kind'][]): void {
    batches.push({ v: 1, runId, events: kinds.map(event) });
  }

  return {
    runId,
    at: (index) => {
      while (!ended && batches.length <= index) {
        add(Array(Math.ceil(Math.random() * LARGEST_BATCH)).fill('assistant_text'));
      }
      return batches[index];
    },
    end: () => {
      add(['runtime_terminal']);
      ended = true;
    },
    events: () => batches.flatMap(({ events }) => events),
  };
}
