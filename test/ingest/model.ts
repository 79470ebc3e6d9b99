import type { RunnerEventKind } from '../../src/contract/events.ts';

/** An event in the model's log: the log's number, the producer's (null for server events), the content. */
export interface ModelEvent {
  readonly seq: number;
  readonly sourceSeq: number | null;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
}

/** An event as its producer sends it. */
export interface SentEvent {
  readonly seq: number;
  readonly tMs: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
}

/** The contract's verdict. */
export type ModelVerdict =
  | { readonly ok: true; readonly log: readonly ModelEvent[]; readonly duplicates: number }
  | {
      readonly ok: false;
      readonly code: string;
      readonly eventIndex: number;
      readonly expectedSeq: number | null;
    };

/** The greatest number for producers; the next 1,024 below 2^53 are reserved for the server. */
const GREATEST_OF_PRODUCERS = 2 ** 53 - 1_024 - 1;

/** The rules across batches as the contract states them: without a head, every rule reads the whole log. */
export function judgeByContract(
  log: readonly ModelEvent[],
  sent: readonly SentEvent[],
  previousSeq: number | null,
): ModelVerdict {
  let grown = log;
  let duplicates = 0;
  for (const [eventIndex, event] of sent.entries()) {
    const no = (code: string, expectedSeq: number | null = null): ModelVerdict => ({
      ok: false,
      code,
      eventIndex,
      expectedSeq,
    });
    const twin = log.find(({ sourceSeq }) => sourceSeq === event.seq);
    if (twin) {
      const same = twin.tMs === event.tMs && twin.kind === event.kind && twin.data === event.data;
      if (!same) return no('seq_conflict');
      duplicates += 1;
      continue;
    }
    if (grown.some(({ kind }) => kind === 'runtime_terminal')) return no('run_terminated');
    if (event.seq <= producersLast(grown)) return no('seq_not_monotonic');
    if (event.tMs < (grown.at(-1)?.tMs ?? 0)) return no('t_ms_not_monotonic');
    if (grown === log && previousSeq !== null) {
      const before = eventIndex > 0 ? sent[eventIndex - 1]!.seq : previousSeq;
      if (before !== producersLast(log)) return no('seq_gap', producersLast(log));
    }
    const seq = Math.max(event.seq, (grown.at(-1)?.seq ?? -1) + 1);
    if (seq > GREATEST_OF_PRODUCERS) return no('invalid_event');
    grown = [...grown, { ...event, seq, sourceSeq: event.seq }];
  }
  return { ok: true, log: grown, duplicates };
}

/** Appends a server event to a log; returns null after the terminal event. */
export function addOwnByContract(
  log: readonly ModelEvent[],
  { kind, data }: Pick<SentEvent, 'kind' | 'data'>,
): readonly ModelEvent[] | null {
  if (log.some((event) => event.kind === 'runtime_terminal')) return null;
  const last = log.at(-1);
  return [...log, { kind, data, seq: (last?.seq ?? -1) + 1, sourceSeq: null, tMs: last?.tMs ?? 0 }];
}

function producersLast(log: readonly ModelEvent[]): number {
  return log.findLast(({ sourceSeq }) => sourceSeq !== null)?.sourceSeq ?? -1;
}
