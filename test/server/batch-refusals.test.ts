import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { type Ask, TRANSPORTS } from '../support/operations.ts';
import { INGEST, post } from '../support/request.ts';
import { eventsFrom, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const event = { seq: 10, tMs: 10, kind: 'assistant_text', data: {} };
const batch = (change: object) => ({ v: 1, runId: 'R', events: [event], ...change });
const second = (change: object) => batch({ events: [event, { ...event, seq: 11, ...change }] });

/** A name, a batch, its code and the index of the invalid event. */
const byVariable: readonly [string, unknown, string, number | null][] = [
  ['a batch that is text', 'x', 'invalid_envelope', null],
  ['a batch that is a list', [], 'invalid_envelope', null],
  ['a batch that is a number', 1, 'invalid_envelope', null],
  ['another version', batch({ v: 2 }), 'version_mismatch', null],
  ['a version as text', batch({ v: '1' }), 'version_mismatch', null],
  ['no run id', batch({ runId: undefined }), 'missing_run_id', null],
  ['an empty run id', batch({ runId: '' }), 'missing_run_id', null],
  ['a run id that is a number', batch({ runId: 1 }), 'missing_run_id', null],
  ['no events', batch({ events: [] }), 'empty_batch', null],
  ['events that are null', batch({ events: null }), 'empty_batch', null],
  ['257 events', batch({ events: eventsFrom(10, 257) }), 'batch_too_large', null],
  ['an event that is null', batch({ events: [event, null] }), 'invalid_event', 1],
  ['a number that is text', second({ seq: '11' }), 'invalid_event', 1],
  ['a number of 2^53', second({ seq: 2 ** 53 }), 'invalid_event', 1],
  ['a number reserved for the server', second({ seq: Number.MAX_SAFE_INTEGER }), 'invalid_event', 1],
  ['a fractional number', second({ seq: 11.5 }), 'invalid_event', 1],
  ['a negative time', second({ tMs: -1 }), 'invalid_event', 1],
  ['an unknown kind', second({ kind: 'nope' }), 'invalid_event', 1],
  ['data that is a list', second({ data: [] }), 'invalid_event', 1],
  ['data that nests 513 deep', second({ data: JSON.parse(nestedData(513)) }), 'invalid_event', 1],
  ['a repeated number', second({ seq: 10 }), 'seq_not_monotonic', 1],
  ['a time that goes back', second({ tMs: 9 }), 't_ms_not_monotonic', 1],
  ['a late number', batch({ events: [{ ...event, seq: 4 }] }), 'seq_not_monotonic', 0],
  ['a time before that of the log', batch({ events: [{ ...event, tMs: 0 }] }), 't_ms_not_monotonic', 0],
  ['a number already in use', batch({ events: [{ ...event, seq: 5, tMs: 5 }] }), 'seq_conflict', 0],
  ['an event after the terminal event', second({}), 'run_terminated', 1],
];

function nestedData(levels: number): string {
  return `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
}

for (const [transport, ask] of TRANSPORTS) {
  describe(`a batch passed as a variable over ${transport}`, () => {
    for (const [what, sent, code, eventIndex] of byVariable) {
      test(`${what} is BatchRejected as ${code} and nothing is stored`, async () => {
        const runId = await newRun(server.graphql);
        await ingest(server.graphql, runId, [...eventsFrom(0, 4), ...eventsFrom(5, 1)]);
        const b = JSON.parse(JSON.stringify(sent).replace('"R"', JSON.stringify(runId)));
        if (code === 'run_terminated') b.events[0].kind = 'runtime_terminal';
        const { data } = await ask(server.graphql, INGEST, { b });
        expect(data?.ingestEvents).toMatchObject({ __typename: 'BatchRejected', code, eventIndex });
        await expectLog(runId, 5);
      });
    }

    test('data that nests 20,000 deep is BatchRejected as invalid_event', async () => {
      const runId = await newRun(server.graphql);
      const events = `[{"seq":0,"tMs":0,"kind":"notification","data":${nestedData(20_000)}}]`;
      const { data } = await ask(
        server.graphql,
        INGEST,
        `{"b":{"v":1,"runId":"${runId}","events":${events}}}`,
      );
      expect(data?.ingestEvents).toMatchObject({ code: 'invalid_event', eventIndex: 0 });
    });

    test('a gap is BatchRejected as seq_gap with the expected number', async () => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, eventsFrom(0, 2));
      const b = { v: 1, runId, events: eventsFrom(5, 1) };
      const { data } = await ask(server.graphql, INGEST, { b, previousSeq: 4 });
      expect(data?.ingestEvents).toMatchObject({ code: 'seq_gap', eventIndex: 0, expectedSeq: 1 });
      await expectLog(runId, 2);
    });

    test('a batch for an ended run is BatchRejected as run_terminated, but retrying its last batch succeeds', async () => {
      const runId = await newRun(server.graphql);
      await ingest(server.graphql, runId, [terminalAt(0)]);
      const late = { v: 1, runId, events: eventsFrom(1, 1) };
      expect((await ask(server.graphql, INGEST, { b: late })).data?.ingestEvents).toMatchObject({
        code: 'run_terminated',
        eventIndex: 0,
      });
      const again = { v: 1, runId, events: [terminalAt(0)] };
      expect((await ask(server.graphql, INGEST, { b: again })).data?.ingestEvents).toMatchObject({
        accepted: 0,
        duplicates: 1,
      });
    });

    test('every id without a run is the same unknown_run', async () => {
      const ids = [
        'nobody',
        "'; drop table Run; --",
        'x'.repeat(129),
        ' ',
        'ünï',
        '\u0000',
        '\ud800',
        '../..',
        '%',
      ];
      for (const runId of ids) {
        const b = { v: 1, runId, events: [event] };
        const { data } = await ask(server.graphql, INGEST, { b });
        expect(data?.ingestEvents, runId).toMatchObject({ code: 'unknown_run', eventIndex: null });
      }
    });

    test('unknown keys are dropped and nothing is coerced', async () => {
      const runId = await newRun(server.graphql);
      const b = { v: 1, runId, more: 1, events: [{ ...event, more: [], data: { kept: '1' } }] };
      expect((await ask(server.graphql, INGEST, { b })).data?.ingestEvents).toMatchObject({ accepted: 1 });
    });
  });

  describe(`a batch that GraphQL refuses over ${transport}`, () => {
    const literal = (text: string) =>
      `mutation { ingestEvents(batch: ${text}) { __typename ... on Error { code } } }`;
    const one = (change: string) =>
      literal(`{ v: 1, runId: "r", events: [{ seq: 0, tMs: 0, kind: notification, data: {}, ${change} }] }`);
    const withData = (data: string) =>
      literal(`{ v: 1, runId: "r", events: [{ seq: 0, tMs: 0, kind: notification, data: ${data} }] }`);
    const VARIABLE = 'mutation ($b: RunnerEventBatchInput!) { ingestEvents(batch: $b) { __typename } }';
    const DEFAULT =
      'mutation ($b: RunnerEventBatchInput = { v: 1, runId: "r", events: [] }) { ingestEvents(batch: $b) { __typename } }';
    const refused: readonly [string, string, unknown, string][] = [
      ['null for the variable', VARIABLE, { b: null }, 'invalid_envelope'],
      ['no variable', VARIABLE, {}, 'invalid_envelope'],
      ['no variables at all', VARIABLE, undefined, 'invalid_envelope'],
      ['null instead of a default', DEFAULT, { b: null }, 'invalid_envelope'],
      ['a default of the wrong shape', DEFAULT.replace('v: 1', 'v: "1"'), {}, 'version_mismatch'],
      ['no argument', 'mutation { ingestEvents { __typename } }', {}, 'invalid_envelope'],
      ['a literal null', literal('null'), {}, 'invalid_envelope'],
      ['a literal list', literal('[]'), {}, 'invalid_envelope'],
      ['a literal text', literal('"x"'), {}, 'invalid_envelope'],
      ['a literal without a version', literal('{ runId: "r", events: [] }'), {}, 'version_mismatch'],
      ['a literal version of text', literal('{ v: "1", runId: "r", events: [] }'), {}, 'version_mismatch'],
      ['a literal without a run', literal('{ v: 1, events: [] }'), {}, 'missing_run_id'],
      ['a literal without events', literal('{ v: 1, runId: "r" }'), {}, 'empty_batch'],
      [
        'a literal event of the wrong kind',
        one('kind: nope').replace('kind: notification, ', ''),
        {},
        'invalid_event',
      ],
      ['a literal number of text', one('seq: "0"').replace('seq: 0, ', ''), {}, 'invalid_event'],
      ['an enum value in data', withData('{ a: RED }'), {}, 'invalid_event'],
      ['a number beyond doubles in data', withData('{ a: 1e400 }'), {}, 'invalid_event'],
      ['a number of 400 digits in data', withData(`{ a: ${'9'.repeat(400)} }`), {}, 'invalid_event'],
    ];
    for (const [what, query, variables, code] of refused) {
      test(`${what} is one error with the code ${code}`, async () => {
        const { errors, data } = await ask(server.graphql, query, variables);
        expect(data ?? null).toBeNull();
        expect(codesOf(errors)).toEqual([code]);
      });
    }

    test('a well-formed literal that the contract refuses is an outcome', async () => {
      for (const [query, code] of [
        [literal('{ v: 2, runId: "r", events: [] }'), 'version_mismatch'],
        [literal('{ v: 1, runId: "", events: [] }'), 'missing_run_id'],
        [literal('{ v: 1, runId: "r", events: [] }'), 'empty_batch'],
        [withData('{ __proto__: { a: null } }'), 'unknown_run'],
      ] as const) {
        const { data } = await (ask as Ask)(server.graphql, query);
        expect(data).toEqual({ ingestEvents: { __typename: 'BatchRejected', code } });
      }
    });
  });
}

async function expectLog(runId: string, eventCount: number): Promise<void> {
  const { body } = await post(server.graphql, `{ run(id: "${runId}") { eventCount } }`);
  expect(body).toEqual({ data: { run: { eventCount } } });
}
