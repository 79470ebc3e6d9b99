import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeBatch, judgeOwnEvent } from '../../src/ingest/judge.ts';
import { EMPTY_HEAD, type Head, type StoredEvent } from '../../src/store/store.ts';
import { addOwnByContract, judgeByContract, type ModelEvent, type SentEvent } from './model.ts';
import { batchFrom, history } from './sent-batches.ts';

const COMMITTED_AT = 5;

/** A log, with its head. */
interface Log {
  readonly events: readonly StoredEvent[];
  readonly head: Head;
}

const EMPTY: Log = { events: [], head: EMPTY_HEAD };

function send(log: Log, events: readonly SentEvent[], previousSeq: number | null = null) {
  const find = (seq: number) => log.events.find(({ sourceSeq }) => sourceSeq === seq);
  return judgeBatch(log.head, { events, previousSeq }, find, COMMITTED_AT);
}

function grown(log: Log, verdict: ReturnType<typeof send>): Log {
  if (!verdict.ok) throw new Error(`rejected: ${verdict.code}`);
  return { events: [...log.events, ...verdict.fresh], head: verdict.head };
}

function withoutTimes(events: readonly StoredEvent[]): readonly ModelEvent[] {
  return events.map(({ committedAt, ...event }) => event);
}

test('any history of batches, retries and server events gets the contract’s verdicts', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(history, (plans) => {
      let log = EMPTY;
      let model: readonly ModelEvent[] = [];
      for (const plan of plans) {
        if (plan.does === 'add') {
          const verdict = judgeOwnEvent(log.head, plan, COMMITTED_AT);
          const expected = addOwnByContract(model, plan);
          expect(verdict.ok).toBe(expected !== null);
          if (!expected) continue;
          log = grown(log, verdict);
          model = expected;
        } else {
          const { events, previousSeq } = batchFrom(model, plan);
          const verdict = send(log, events, previousSeq);
          const expected = judgeByContract(model, events, previousSeq);
          seen.add(expected.ok ? (expected.duplicates > 0 ? 'duplicates' : 'accepted') : expected.code);
          if (!expected.ok) {
            expect(verdict).toEqual({ ...expected, message: expect.any(String) });
            continue;
          }
          expect(verdict).toMatchObject({ ok: true, duplicates: expected.duplicates });
          log = grown(log, verdict);
          model = expected.log;
        }
        expect(withoutTimes(log.events)).toEqual(model);
        expect(log.head).toEqual(headOf(model));
      }
    }),
    { numRuns: 3_000 },
  );
  expect([...seen].sort()).toEqual([
    'accepted',
    'duplicates',
    'run_terminated',
    'seq_conflict',
    'seq_gap',
    'seq_not_monotonic',
    't_ms_not_monotonic',
  ]);
});

/** Computes the head by its definition, from the whole log. */
function headOf(log: readonly ModelEvent[]): Head {
  const own = log.filter(({ sourceSeq }) => sourceSeq === null);
  return {
    lastSeq: log.at(-1)?.seq ?? -1,
    lastSourceSeq: Math.max(-1, ...log.map(({ sourceSeq }) => sourceSeq ?? -1)),
    lastTMs: log.at(-1)?.tMs ?? 0,
    eventCount: log.length,
    serverEvents: own.length,
    dataBytes: log.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0),
    terminalSeq: log.find(({ kind }) => kind === 'runtime_terminal')?.seq ?? null,
    removedThrough: -1,
    fence: null,
  };
}

function event(seq: number, changes: Partial<SentEvent> = {}): SentEvent {
  return { seq, tMs: 100, kind: 'assistant_text', data: '{}', ...changes };
}

const open = grown(EMPTY, send(EMPTY, [event(3), event(5)]));
const ended = grown(open, send(open, [event(6, { kind: 'runtime_terminal' })]));

describe('one rule at a time', () => {
  test.each([
    ['a stored number with another time', open, [event(3, { tMs: 101 })], null, 'seq_conflict', 0],
    [
      'a stored number with another kind',
      open,
      [event(3, { kind: 'notification' })],
      null,
      'seq_conflict',
      0,
    ],
    ['a stored number with other data', open, [event(3, { data: '{"a":1}' })], null, 'seq_conflict', 0],
    ['an event after the terminal', ended, [event(7)], null, 'run_terminated', 0],
    ['a second terminal', ended, [event(7, { kind: 'runtime_terminal' })], null, 'run_terminated', 0],
    [
      'an event after a terminal in the same batch',
      open,
      [event(6, { kind: 'runtime_terminal' }), event(7)],
      null,
      'run_terminated',
      1,
    ],
    ['a number between stored ones', open, [event(4)], null, 'seq_not_monotonic', 0],
    ['a number below the first stored one', open, [event(0)], null, 'seq_not_monotonic', 0],
    ['a time below the last one', open, [event(6, { tMs: 99 })], null, 't_ms_not_monotonic', 0],
    ['a predecessor that is not in the run', open, [event(8)], 7, 'seq_gap', 0],
    ['a predecessor that is not the run’s last', open, [event(8)], 3, 'seq_gap', 0],
    ['a first batch in a non-empty run', open, [event(8)], -1, 'seq_gap', 0],
    ['a number reserved for the server', open, [event(2 ** 53 - 1_024)], null, 'invalid_event', 0],
  ] as const)('%s is refused', (_, log, events, previousSeq, code, eventIndex) => {
    expect(send(log, events, previousSeq)).toMatchObject({ ok: false, code, eventIndex });
  });

  test.each([
    ['the very first event, whatever its number', EMPTY, [event(7)], null, 1, 0],
    ['the first event, sent as the first', EMPTY, [event(7)], -1, 1, 0],
    ['an event after the last number', open, [event(8)], 5, 1, 0],
    ['an exact retry with any predecessor', open, [event(3), event(5)], 77, 0, 2],
    ['an overlap whose last stored event is the last', open, [event(5), event(9)], 3, 1, 1],
    ['an exact retry after the end', ended, [event(5), event(6, { kind: 'runtime_terminal' })], null, 0, 2],
    ['the last number for producers', open, [event(2 ** 53 - 1_025)], null, 1, 0],
  ] as const)('%s is accepted', (_, log, events, previousSeq, fresh, duplicates) => {
    const verdict = send(log, events, previousSeq);
    expect(verdict).toMatchObject({ ok: true, duplicates });
    expect(verdict.ok && verdict.fresh).toHaveLength(fresh);
  });

  test('a gap names the run’s last number', () => {
    expect(send(open, [event(8)], 7)).toMatchObject({ code: 'seq_gap', expectedSeq: 5 });
    expect(send(EMPTY, [event(8)], 7)).toMatchObject({ code: 'seq_gap', expectedSeq: -1 });
  });
});

describe('the order of the rules, for an event that breaks two', () => {
  test.each([
    ['a conflict comes before the end', ended, event(5, { tMs: 7 }), null, 'seq_conflict'],
    ['the end comes before the order of numbers', ended, event(4), null, 'run_terminated'],
    [
      'the order of numbers comes before that of times',
      open,
      event(4, { tMs: 7 }),
      null,
      'seq_not_monotonic',
    ],
    ['the order of times comes before a gap', open, event(8, { tMs: 7 }), 7, 't_ms_not_monotonic'],
    ['a gap comes before the server’s numbers', open, event(2 ** 53 - 1), 7, 'seq_gap'],
  ] as const)('%s', (_, log, broken, previousSeq, code) => {
    expect(send(log, [broken], previousSeq)).toMatchObject({ ok: false, code });
  });

  test('an earlier event’s fault wins over a later one’s, whatever the rules', () => {
    expect(send(open, [event(4), event(5, { tMs: 7 })])).toMatchObject({
      code: 'seq_not_monotonic',
      eventIndex: 0,
    });
  });
});

describe('the server’s own events', () => {
  test('take the next number and the last time, and shift the producer’s numbers', () => {
    const own = grown(open, judgeOwnEvent(open.head, { kind: 'notification', data: '{}' }, COMMITTED_AT));
    expect(own.events.at(-1)).toMatchObject({ seq: 6, sourceSeq: null, tMs: 100 });
    const after = grown(own, send(own, [event(6), event(7), event(20)], 5));
    expect(after.events.slice(-3).map(({ seq, sourceSeq }) => [seq, sourceSeq])).toEqual([
      [7, 6],
      [8, 7],
      [20, 20],
    ]);
  });

  test('have time 0 in an empty log', () => {
    const own = grown(EMPTY, judgeOwnEvent(EMPTY_HEAD, { kind: 'notification', data: '{}' }, COMMITTED_AT));
    expect(own.events).toEqual([
      { seq: 0, sourceSeq: null, tMs: 0, kind: 'notification', data: '{}', committedAt: COMMITTED_AT },
    ]);
  });

  test('fit after the last number for producers', () => {
    let log = grown(EMPTY, send(EMPTY, [event(2 ** 53 - 1_025)]));
    for (let count = 0; count < 1_024; count++) {
      log = grown(log, judgeOwnEvent(log.head, { kind: 'notification', data: '{}' }, COMMITTED_AT));
    }
    expect(log.head.lastSeq).toBe(2 ** 53 - 1);
    expect(judgeOwnEvent(log.head, { kind: 'notification', data: '{}' }, COMMITTED_AT)).toMatchObject({
      ok: false,
    });
  });

  test('do not shift a producer’s event into the server’s numbers', () => {
    const last = grown(EMPTY, send(EMPTY, [event(2 ** 53 - 1_026)]));
    const own = grown(last, judgeOwnEvent(last.head, { kind: 'notification', data: '{}' }, COMMITTED_AT));
    expect(send(own, [event(2 ** 53 - 1_025)])).toMatchObject({ code: 'invalid_event', eventIndex: 0 });
  });

  test('end a run like the producer’s, and never follow the end', () => {
    const own = judgeOwnEvent(open.head, { kind: 'runtime_terminal', data: '{}' }, COMMITTED_AT);
    const after = grown(open, own);
    expect(after.head.terminalSeq).toBe(6);
    expect(send(after, [event(6)])).toMatchObject({ code: 'run_terminated' });
    expect(judgeOwnEvent(after.head, { kind: 'notification', data: '{}' }, COMMITTED_AT)).toMatchObject({
      code: 'run_terminated',
      eventIndex: null,
    });
  });
});
