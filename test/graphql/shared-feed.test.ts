import fc from 'fast-check';
import { type GraphQLObjectType, getNamedType, isLeafType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { valuesOf } from '../../src/feed/batches.ts';
import { createFeed } from '../../src/feed/feed.ts';
import type { AskedContext } from '../../src/graphql/context.ts';
import type { SharedFeed } from '../../src/graphql/feed/shared.ts';
import { createOperations } from '../../src/graphql/operations/operations.ts';
import type { OperationRequest } from '../../src/graphql/operations/request.ts';
import { createRunUpdates } from '../../src/graphql/runs/updates.ts';
import { publicSchema } from '../../src/graphql/schema.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { createReleasers } from '../../src/lib/releasers.ts';
import { openStore } from '../../src/store/open.ts';
import { createRunKeys } from '../../src/store/run-keys.ts';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { createIdleInbox, createIdleJobs } from '../support/idle-jobs.ts';
import { OPERATOR } from '../support/operator.ts';

const SELECTIONS = Number(process.env.RUNFEED_PROOF_RUNS ?? 1_000);

const releasers = createReleasers();
let context: AskedContext;
const operations = createOperations((error) => {
  throw error;
});

beforeAll(async () => {
  const store = await openStore(await freshSqliteUrl());
  releasers.add(() => store.close());
  const wakeups = createLocalPlane();
  const feed = createFeed(store, wakeups);
  releasers.add(() => feed.close());
  const ingest = createIngest(store, wakeups);
  context = {
    store,
    runKeys: createRunKeys(store),
    runUpdates: createRunUpdates(store, wakeups),
    wakeups,
    feed,
    ingest,
    jobs: await createIdleJobs(store, ingest, wakeups),
    native: createIdleInbox(store, ingest, wakeups),
    version: 'test',
    principal: OPERATOR,
  };
  const { run } = await store.createRun({
    workspace: 'default',
    id: 'r',
    provider: 'openai',
    runtime: 'managed',
    title: null,
    labels: '{}',
    createdAt: 0,
  });
  const data = { text: 'a\u0000\ud800"é', big: 1e21, '': [null, { b: 1, 2: 0 }], ['__proto__']: -0 };
  const events = [
    { seq: 0, tMs: 1, kind: 'runtime_started', data: '{}' },
    { seq: 7, tMs: 2, kind: 'assistant_text', data: JSON.stringify(data) },
    { seq: 8, tMs: 2, kind: 'tool_request', data: '{"name":"ls"}' },
  ] as const;
  await ingest.append(run, { events, previousSeq: null });
  await ingest.appendOwn(run, { kind: 'notification', data: '{"event":"own"}' });
  await ingest.appendOwn(run, { kind: 'runtime_terminal', data: '{"outcome":"completed"}' });
});

afterAll(() => releasers.release());

const gone = () => new AbortController().signal;

/** Subscribes like a transport that can write shared payloads. Returns null if they are not shared. */
async function openShared(request: OperationRequest): Promise<SharedFeed | null> {
  const subscription = await operations.subscribe(request, { takesShared: true, gone });
  return subscription.kind === 'shared' ? subscription.feed : null;
}

/** Returns the fields of a type that have no selection of their own: a new field is tested, too. */
function leavesOf(type: string): string[] {
  const fields = Object.values((publicSchema.getType(type) as GraphQLObjectType).getFields());
  return [
    ...fields.filter(({ type }) => isLeafType(getNamedType(type))).map(({ name }) => name),
    '__typename',
  ];
}

const EVENT = leavesOf('RunnerEvent');
const BATCH = leavesOf('RunFeedBatch');
const GAP = leavesOf('RunFeedGap');

const directive = fc.constantFrom(
  '',
  '',
  '',
  '@include(if: $yes)',
  '@skip(if: $yes)',
  '@skip(if: $no)',
  '@include(if: false)',
);

/** A selection set on a type: leaves, objects, inline fragments and spreads, with aliases and directives. */
function selection(
  type: string,
  leaves: readonly string[],
  objects: Readonly<Record<string, fc.Arbitrary<string>>>,
): fc.Arbitrary<string> {
  // An alias always stands for the same field, because otherwise the selections could not be merged.
  const leaf = fc
    .tuple(fc.constantFrom(...leaves), fc.boolean(), directive)
    .map(([name, aliased, at]) => `${aliased ? `x_${name}: ` : ''}${name} ${at}`);
  const object = Object.entries(objects).map(([name, inner]) =>
    fc
      .tuple(fc.boolean(), directive, inner)
      .map(([aliased, at, set]) => `${aliased ? `x_${name}: ` : ''}${name} ${at} ${set}`),
  );
  const field = fc.oneof({ weight: 3, arbitrary: leaf }, ...object);
  const fields = fc.array(field, { minLength: 1, maxLength: 5 }).map((list) => list.join('\n'));
  const inline = fc
    .tuple(fc.constantFrom('...', `... on ${type}`), directive, fields)
    .map(([on, at, inner]) => `${on} ${at} { ${inner} }`);
  const spread = directive.map((at) => `...On${type} ${at}`);
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: field }, inline, spread), { minLength: 1, maxLength: 6 })
    .map((list) => `{ ${list.join('\n')} }`);
}

const FRAGMENTS = `
  fragment OnRunnerEvent on RunnerEvent { seq x_kind: kind @skip(if: $no) ...DeepRunnerEvent }
  fragment DeepRunnerEvent on RunnerEvent { data @include(if: $yes) __typename }
  fragment OnRunFeedBatch on RunFeedBatch { cursor events { x_seq: seq } }
  fragment OnRunFeedGap on RunFeedGap { toSeq }`;

const events = selection('RunnerEvent', EVENT, {});
const gap = selection('RunFeedGap', GAP, {});
const batches = selection('RunFeedBatch', BATCH, { events, gap });

const subscription = fc.oneof(
  events.map((set) => `runEvents(runId: "r", after: $after, kinds: $kinds) ${set}`),
  batches.map(
    (set) => `x: runEventBatches(runId: $runId, after: $after, kinds: $kinds, maxEvents: 2) ${set}`,
  ),
);

const variables = fc.record({
  yes: fc.boolean(),
  no: fc.boolean(),
  after: fc.constantFrom(-1, 0, 7, 8, 100),
  kinds: fc.constantFrom(null, ['assistant_text'], ['tool_request', 'notification']),
  runId: fc.constant('r'),
});

const DECLARED =
  '($yes: Boolean! = true, $no: Boolean!, $after: SafeInt, $kinds: [RunnerEventKind!], $runId: ID! = "r")';

test(`shared payloads equal those of the executor, for ${SELECTIONS} random selections`, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(subscription, variables, async (field, variableValues) => {
      const query = `subscription S${DECLARED} { ${field} }\n${FRAGMENTS}`;
      const document = operations.parse(query);
      // Unused fragments and variables are only refused by validation, which both paths share.
      const request = { document, operationName: 'S', variableValues, contextValue: context };
      const executed = await operations.subscribe(request, { takesShared: false, gone });
      const shared = await openShared(request);
      if (executed.kind !== 'results' || !shared) throw new Error(JSON.stringify(executed));
      const expected: string[] = [];
      for await (const result of executed.results) expected.push(JSON.stringify(result));
      const actual: string[] = [];
      for await (const payloads of valuesOf(() => shared.open(new AbortController().signal))) {
        actual.push(...payloads.map(String));
      }
      expect(actual).toEqual(expected);
      compared += expected.length;
    }),
    { numRuns: SELECTIONS },
  );
  expect(compared).toBeGreaterThan(SELECTIONS);
}, 600_000);

test.each([
  ['a query', '{ server { version } }', {}],
  ['another subscription', 'subscription { jobUpdated(runId: "r") { status } }', {}],
  [
    'a directive at the root',
    'subscription ($yes: Boolean!) { runEvents(runId: "r") @skip(if: $yes) { seq } }',
    { yes: false },
  ],
  [
    'invalid variables',
    'subscription ($after: SafeInt) { runEvents(runId: "r", after: $after) { seq } }',
    { after: 'x' },
  ],
  ['invalid arguments', 'subscription { runEvents(runId: "r", after: -2) { seq } }', {}],
  ['an unknown run', 'subscription { runEvents(runId: "nope") { seq } }', {}],
])('the executor handles %s', async (_name, query, variableValues) => {
  const document = operations.parse(query);
  expect(await openShared({ document, variableValues, contextValue: context })).toBeNull();
});

test('subscribers with one selection get the same buffers, other workspaces get their own', async () => {
  const document = operations.parse(
    'subscription ($a: SafeInt) { runEvents(runId: "r", after: $a) { seq data } }',
  );
  const read = async (after: number) => {
    const shared = await openShared({ document, variableValues: { a: after }, contextValue: context });
    const all: Buffer[] = [];
    for await (const payloads of valuesOf(() => shared!.open(new AbortController().signal)))
      all.push(...payloads);
    return all;
  };
  const [one, other] = await Promise.all([read(-1), read(-1)]);
  expect(one).toHaveLength(5);
  for (const [index, bytes] of one.entries()) expect(other[index]).toBe(bytes);
  expect(await read(7)).toEqual(one.slice(2));
  const stranger = { ...context, principal: { ...OPERATOR, workspace: 'other' } };
  expect(await openShared({ document, variableValues: {}, contextValue: stranger })).toBeNull();
});

test('portions are measured in written bytes: a stalled subscriber holds a few KiB, even with long aliases', async () => {
  const names = Array.from({ length: 90 }, (_, index) => `${'k'.repeat(120)}${index}: seq`).join(' ');
  const document = operations.parse(`subscription { runEvents(runId: "r") { ${names} } }`);
  const shared = await openShared({ document, contextValue: context });
  const portions: number[] = [];
  for await (const payloads of valuesOf(() => shared!.open(new AbortController().signal))) {
    portions.push(payloads.length);
  }
  expect(portions).toEqual([1, 1, 1, 1, 1]);
});
