import fc from 'fast-check';
import type { RunnerEventKind } from '../../src/contract/events.ts';
import type { ModelEvent, SentEvent } from './model.ts';

/** The next action, relative to the log so far: steps, not numbers, so that most actions are plausible. */
export interface SendPlan {
  readonly does: 'send';
  /** How far before the producer's last event the batch begins; 0 for only new events. */
  readonly back: number;
  readonly events: readonly EventPlan[];
  /** `previousSeq`: absent, correct, or off by this number. */
  readonly previous: number | null;
}

/** One event of a batch that is new or replaces a stored event. */
export interface EventPlan {
  readonly step: number;
  readonly tStep: number;
  readonly kind: RunnerEventKind;
  readonly data: string;
}

/** The server adds an event. */
export interface OwnPlan {
  readonly does: 'add';
  readonly kind: RunnerEventKind;
  readonly data: string;
}

const kind = fc.constantFrom<RunnerEventKind>(
  ...Array<RunnerEventKind>(12).fill('assistant_text'),
  'notification',
  'notification',
  'runtime_terminal',
);
const data = fc.constantFrom('{}', '{"a":1}', '{"text":"\\u0000"}');

const eventPlan: fc.Arbitrary<EventPlan> = fc.record({
  step: fc.constantFrom(1, 1, 1, 2, 5),
  tStep: fc.constantFrom(0, 0, 1, 7, 7, -1),
  kind,
  data,
});

/** A history of a run: batches, retries, mistakes, and server events in between. */
export const history: fc.Arbitrary<readonly (SendPlan | OwnPlan)[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        does: fc.constant('send' as const),
        back: fc.constantFrom(0, 0, 0, 1, 2, 4, 30),
        events: fc.array(eventPlan, { minLength: 1, maxLength: 5 }),
        previous: fc.constantFrom(null, null, 0, 0, -1, 1),
      }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('add' as const), kind, data }) },
  ),
  { maxLength: 16 },
);

/**
 * Returns the batch of a plan: first the producer's stored events from `back` on, exactly as sent, then the
 * plan's own events. A plan whose first step is 5 omits the stored events, so that it is late or conflicts.
 */
export function batchFrom(
  log: readonly ModelEvent[],
  plan: SendPlan,
): { readonly events: readonly SentEvent[]; readonly previousSeq: number | null } {
  const produced = log.flatMap((event) =>
    event.sourceSeq === null ? [] : [{ ...event, seq: event.sourceSeq }],
  );
  const start = Math.max(0, produced.length - plan.back);
  const mistaken = plan.events[0]!.step === 5;
  const repeated = mistaken ? [] : produced.slice(start);
  const before = (mistaken ? produced.slice(0, start) : produced).at(-1);
  let seq = before?.seq ?? -1;
  let tMs = before?.tMs ?? 0;
  const added: SentEvent[] = [];
  // A retry of stored events only.
  const onlyRepeats = repeated.length > 0 && plan.events.length % 2 === 0;
  for (const event of onlyRepeats ? [] : plan.events) {
    seq += event.step === 5 ? 1 : event.step;
    tMs = Math.max(0, tMs + event.tStep);
    added.push({ seq, tMs, kind: event.kind, data: event.data });
  }
  const events = [...repeated.map(({ seq, tMs, kind, data }) => ({ seq, tMs, kind, data })), ...added];
  const honest = produced.findLast((event) => event.seq < events[0]!.seq)?.seq ?? -1;
  return { events, previousSeq: plan.previous === null ? null : Math.max(-1, honest + plan.previous) };
}
