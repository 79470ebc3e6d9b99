import type { RunKey } from '../store/run-keys.ts';
import type { Append, FoundEvent, Head, Store, StoredEvent } from '../store/store.ts';
import { type Judged, judgeBatch, judgeOwnEvent, type Rejection, reject } from './judge.ts';
import { excessOf, type RunSizeLimits, terminalOf } from './run-size.ts';
import type { Submission } from './submission.ts';

/** The verdicts on a run's batches in a group: one append of all new events, and an outcome per batch. */
export interface RunVerdicts {
  readonly run: RunKey;
  readonly append: Append | null;
  readonly outcomes: readonly { readonly submission: Submission; readonly outcome: Judged | Rejection }[];
}

/**
 * Judges a run's batches one after another, each against the log as it will be after the batches before it.
 * The caller must not report an outcome before the append is durable: a duplicate may refer to an event in
 * this same group. A batch that would make the run too large is refused as a whole, and a terminal event
 * takes its place.
 */
export async function judgeRun(
  store: Store,
  head: Head,
  submissions: readonly Submission[],
  committedAt: number,
  limits: RunSizeLimits,
): Promise<RunVerdicts> {
  const produced = await readPossibleDuplicates(store, head, submissions);
  const events: StoredEvent[] = [];
  let after = head;
  const append = ({ fresh, head: moved }: Judged) => {
    after = moved;
    for (const event of fresh) {
      events.push(event);
      // Only later batches of the group look for it.
      if (submissions.length > 1 && event.sourceSeq !== null) produced.set(event.sourceSeq, event);
    }
  };
  const outcomes = submissions.map((submission) => {
    const { work } = submission;
    const outcome =
      'events' in work
        ? judgeBatch(after, work, (sourceSeq) => produced.get(sourceSeq), committedAt)
        : judgeOwnEvent(after, work, committedAt);
    if (!outcome.ok || outcome.fresh.length === 0) return { submission, outcome };
    // The server may always end a run, whatever its size: no event can follow.
    const isEnd = !('events' in work) && work.kind === 'runtime_terminal';
    const excess = isEnd ? null : excessOf(outcome.head, limits);
    if (excess === null) {
      append(outcome);
      return { submission, outcome };
    }
    const data = terminalOf(excess, committedAt);
    const end = judgeOwnEvent(after, { kind: 'runtime_terminal', data }, committedAt);
    if (end.ok) append(end);
    return { submission, outcome: reject('run_terminated', `the run has ended: ${excess.message}`) };
  });
  const { run } = submissions[0]!;
  if (events.length === 0) return { run, append: null, outcomes };
  const startedAt = events.some((event) => event.kind === 'runtime_started') ? committedAt : null;
  const endedAt = after.terminalSeq === null ? null : committedAt;
  const all = { run: run.key, expectedLastSeq: head.lastSeq, events, head: after, startedAt, endedAt };
  return { run, append: all, outcomes };
}

/**
 * Reads the stored events that may have the same numbers as events in these batches. Only numbers up to the
 * producer's last can match, and of the data it reads no more bytes than were sent, since longer data differs
 * anyway.
 */
async function readPossibleDuplicates(
  store: Store,
  head: Head,
  submissions: readonly Submission[],
): Promise<Map<number, FoundEvent>> {
  const sizes = new Map<number, number>();
  for (const { work } of submissions) {
    if (!('events' in work)) continue;
    for (const { seq, data } of work.events) {
      if (seq > head.lastSourceSeq) break;
      sizes.set(seq, Math.max(sizes.get(seq) ?? 0, Buffer.byteLength(data)));
    }
  }
  if (sizes.size === 0) return new Map();
  const numbers = [...sizes].map(([sourceSeq, maxDataBytes]) => ({ sourceSeq, maxDataBytes }));
  const stored = await store.readProduced(submissions[0]!.run.key, numbers, head.serverEvents);
  return new Map(stored.flatMap((event) => (event.sourceSeq === null ? [] : [[event.sourceSeq, event]])));
}
