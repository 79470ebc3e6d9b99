import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFeed } from '../../src/feed/feed.ts';
import { ingestDirectly } from '../../src/graphql/ingest/direct.ts';
import { createOperations } from '../../src/graphql/operations/operations.ts';
import type { OperationRequest } from '../../src/graphql/operations/request.ts';
import { createRunUpdates } from '../../src/graphql/runs/updates.ts';
import { Overloaded, ShuttingDown } from '../../src/ingest/faults.ts';
import { createIngest, INGEST_LIMITS, type Ingest } from '../../src/ingest/ingest.ts';
import { createRunKeys } from '../../src/store/run-keys.ts';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { newRun } from '../suites/store-records.ts';
import { createIdleInbox, createIdleJobs } from '../support/idle-jobs.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { OPERATOR } from '../support/operator.ts';

/** The number of random selections. Each is a separate document, and is sent up to five times. */
const SELECTIONS = Math.ceil(Number(process.env.RUNFEED_PROOF_RUNS ?? 1_000) / 5);

const operations = createOperations((error) => {
  throw error;
});

type TestContext = OperationRequest['contextValue'];

/** Creates a system in memory with the given runs, by default `r`. */
async function createSystem(ingest?: Ingest['append'], runs = ['r']): Promise<TestContext> {
  const store = createMemoryStore();
  const wakeups = createLocalPlane();
  const feed = createFeed(store, wakeups);
  feed.close();
  const { workspace } = OPERATOR;
  for (const id of runs) await store.createRun(newRun({ workspace, id }));
  const real = createIngest(store, wakeups, INGEST_LIMITS);
  return {
    store,
    runKeys: createRunKeys(store),
    runUpdates: createRunUpdates(store, wakeups),
    wakeups,
    feed,
    ingest: ingest ? { ...real, append: ingest } : real,
    jobs: await createIdleJobs(store, real, wakeups),
    native: createIdleInbox(store, real, wakeups),
    version: 'test',
    principal: OPERATOR,
  };
}

/** Returns the answer as text. With a directive, which only the executor supports, the executor answers. */
async function answer(way: 'direct' | 'executor', mutation: Mutation, contextValue: TestContext) {
  const at = way === 'direct' ? '' : ' @include(if: true)';
  const document = operations.parse(mutation.query.replace('#', at));
  expect(operations.validate(document)).toEqual([]);
  return JSON.stringify(
    await operations.execute({ document, variableValues: mutation.variables, contextValue }),
  );
}

interface Mutation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

const SUCCESS = ['accepted', 'duplicates', 'lastSeq', 'lastSourceSeq', 'ended', '__typename'];
const REJECTED = ['code', 'message', 'eventIndex', 'expectedSeq', '__typename'];
const ERROR = ['code', 'message', '__typename'];

function fieldsOf(names: readonly string[]): fc.Arbitrary<string> {
  const field = fc
    .tuple(fc.constantFrom(...names), fc.boolean())
    .map(([name, aliased]) => (aliased ? `x_${name}: ${name}` : name));
  return fc.array(field, { minLength: 1, maxLength: 5 }).map((list) => list.join(' '));
}

const part = fc.oneof(
  fc.constant('__typename'),
  fc.constant('x: __typename'),
  fieldsOf(SUCCESS).map((set) => `... on IngestEventsSuccess { ${set} }`),
  fieldsOf(REJECTED).map((set) => `... on BatchRejected { ${set} }`),
  fieldsOf(ERROR).map((set) => `... on Error { ${set} }`),
  fieldsOf(['__typename']).map((set) => `... { ${set} ...OnResult }`),
  fieldsOf(SUCCESS).map((set) => `... on IngestEventsResult { ... on IngestEventsSuccess { ${set} } }`),
  fc.constantFrom('...OnResult', '...OnError', '...OnSuccess'),
);

const FRAGMENTS = `
  fragment OnResult on IngestEventsResult { y: __typename ...OnSuccess ...OnError }
  fragment OnSuccess on IngestEventsSuccess { lastSeq x_ended: ended }
  fragment OnError on Error { message ... on BatchRejected { eventIndex } }`;

const good = fc.record({
  seq: fc.nat(30),
  tMs: fc.constant(1),
  kind: fc.constant('assistant_text'),
  data: fc.constant({}),
});
const odd = fc.record({
  seq: fc.constantFrom(-1, 3, 3),
  tMs: fc.constantFrom(0, 1, 2),
  kind: fc.constantFrom('runtime_terminal', 'nonsense'),
  data: fc.constantFrom<unknown>({}, { text: 'a' }, null),
});
const events = fc
  .uniqueArray(fc.oneof({ weight: 12, arbitrary: good }, odd), {
    minLength: 1,
    maxLength: 3,
    selector: ({ seq }) => seq,
  })
  .map((list) => list.sort((one, another) => one.seq - another.seq));

const batch = fc.oneof(
  { weight: 12, arbitrary: fc.record({ v: fc.constant(1), runId: fc.constant('r'), events }) },
  fc.record({ v: fc.constantFrom(1, 2), runId: fc.constantFrom('r', 'nowhere', '?'), events }),
  fc.constantFrom<unknown>(null, undefined, 7, 'batch', []),
);

const previousSeq = fc.constantFrom<unknown>(
  undefined,
  undefined,
  null,
  -1,
  0,
  3,
  -2,
  1.5,
  'x',
  true,
  2 ** 60,
);

const mutation = fc
  .record({
    parts: fc.array(part, { minLength: 1, maxLength: 4 }),
    alias: fc.constantFrom('', 'z: '),
    given: fc.constantFrom('batch: $b, previousSeq: $p', 'previousSeq: $p, batch: $b'),
  })
  .map(({ parts, alias, given }) => {
    const set = `${parts.join(' ')} ...OnResult ...OnError ...OnSuccess`;
    return `mutation M($b: RunnerEventBatchInput!, $p: SafeInt) { ${alias}ingestEvents(${given})# { ${set} } }${FRAGMENTS}`;
  });

const sent = fc.record({ b: batch, p: previousSeq }, { requiredKeys: ['b'] });

/** Returns the same variables for another run. */
function ofRun(runId: string, variables: { readonly b: unknown; readonly p?: unknown }) {
  const { b } = variables;
  const own = b instanceof Object && 'runId' in b && b.runId === 'r' ? { ...b, runId } : b;
  return { ...variables, b: own };
}

test(`direct answers of ingestEvents equal the executor’s, for ${SELECTIONS} random selections`, async () => {
  const ids = Array.from({ length: SELECTIONS }, (_, index) => `r${index}`);
  const [one, other] = [await createSystem(undefined, ids), await createSystem(undefined, ids)];
  let successes = 0;
  let next = 0;
  await fc.assert(
    fc.asyncProperty(mutation, fc.array(sent, { minLength: 1, maxLength: 5 }), async (query, batches) => {
      const runId = ids[next++ % ids.length]!;
      for (const variables of batches) {
        const mutation = { query, variables: ofRun(runId, variables) };
        const direct = await answer('direct', mutation, one);
        expect(direct).toBe(await answer('executor', mutation, other));
        if (direct.includes('"lastSeq"')) successes += 1;
      }
    }),
    { numRuns: SELECTIONS, endOnFailure: true },
  );
  expect(successes).toBeGreaterThan(SELECTIONS / 4);
}, 600_000);

const PLAIN = 'mutation ($b: RunnerEventBatchInput!) { ingestEvents(batch: $b) { __typename } }';
const BATCH = { v: 1, runId: 'r', events: [{ seq: 0, tMs: 1, kind: 'notification', data: {} }] };

test.each([new Overloaded(), new ShuttingDown(), new StoreUnavailable('gone')])(
  'a fault has the same error as from the executor: %s',
  async (error) => {
    const context = await createSystem(() => Promise.reject(error));
    const mutation = { query: PLAIN.replace(' { __', '# { __'), variables: { b: BATCH } };
    const direct = await answer('direct', mutation, context);
    expect(direct).toContain('"extensions":{"code":');
    expect(direct).toBe(await answer('executor', mutation, context));
  },
);

function directly(
  query: string,
  variableValues: Readonly<Record<string, unknown>>,
  contextValue: TestContext,
) {
  return ingestDirectly({ document: operations.parse(query), variableValues, contextValue });
}

test('a plain ingestEvents is answered directly', async () => {
  const answered = await directly(PLAIN, { b: BATCH }, await createSystem());
  expect(answered).toEqual({ data: { ingestEvents: { __typename: 'IngestEventsSuccess' } } });
});

test.each([
  ['a query', '{ server { version } }', {}],
  ['two fields', PLAIN.replace('ingestEvents', 'a: __typename ingestEvents'), { b: BATCH }],
  [
    'a batch in the document',
    'mutation { ingestEvents(batch: {v: 1, runId: "r", events: []}) { __typename } }',
    {},
  ],
  ['an absent batch', PLAIN, {}],
  ['a directive', PLAIN.replace('__typename', '__typename @skip(if: false)'), { b: BATCH }],
  ['the run', PLAIN.replace('__typename', '... on IngestEventsSuccess { run { id } }'), { b: BATCH }],
  [
    'an invalid previousSeq',
    'mutation ($b: RunnerEventBatchInput!, $p: SafeInt) { ingestEvents(batch: $b, previousSeq: $p) { __typename } }',
    { b: BATCH, p: -2 },
  ],
  [
    'a variable that is optional only by its default',
    'mutation ($b: RunnerEventBatchInput!, $p: SafeInt = 3) { ingestEvents(batch: $b, previousSeq: $p) { __typename } }',
    { b: BATCH },
  ],
])('the executor handles %s', async (_name, query, variables) => {
  expect(directly(query, variables, await createSystem())).toBeNull();
});
