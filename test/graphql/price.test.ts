import fc from 'fast-check';
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getIntrospectionQuery,
  getOperationAST,
  Kind,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';
import { expect, test } from 'vitest';
import { refusedForCost } from '../../src/graphql/operations/admission.ts';
import { createDocuments } from '../../src/graphql/operations/documents.ts';
import type { OperationRequest } from '../../src/graphql/operations/request.ts';
import { OPERATION_COST } from '../../src/graphql/price/limits.ts';
import { type Priced, priceOperation } from '../../src/graphql/price/price.ts';
import { createPriceList } from '../../src/graphql/price/price-list.ts';
import { publicSchema } from '../../src/graphql/schema.ts';

const RUNS = Number(process.env.RUNFEED_PROOF_RUNS ?? 300);

const priceList = createPriceList(publicSchema);
const documents = createDocuments(publicSchema);

function priced(
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>> | null = {},
  onVisit = () => {},
): Priced {
  const operation = getOperationAST(document)!;
  return priceOperation(document, operation, { schema: publicSchema, priceList, variables, onVisit });
}

/** The totals of an expanded selection, computed without a cache. */
interface Expanded {
  readonly depth: number;
  readonly fields: number;
  /** Fields with all items of their lists, and the bytes of their names. */
  readonly written: number;
  readonly names: number;
}

type Variables = Readonly<Record<string, unknown>>;

function expand(document: DocumentNode, variables: Variables): Expanded {
  const fragments = new Map(
    document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [],
    ),
  );
  return expandSet(getOperationAST(document)!.selectionSet, fragments, variables, 1);
}

/** `items`: the number of items in the lists directly below, if they belong to a page. */
function expandSet(
  set: SelectionSetNode | undefined,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  variables: Variables,
  items: number,
): Expanded {
  let sum: Expanded = { depth: 0, fields: 0, written: 0, names: 0 };
  for (const selection of set?.selections ?? []) {
    const off = (selection.directives ?? []).some((directive) => {
      const { value } = directive.arguments![0]!;
      const condition =
        value.kind === Kind.VARIABLE
          ? variables[value.name.value]
          : value.kind === Kind.BOOLEAN && value.value;
      return condition === (directive.name.value === 'skip');
    });
    if (off) continue;
    let part: Expanded;
    if (selection.kind === Kind.FIELD) part = expandField(selection, fragments, variables, items);
    else if (selection.kind === Kind.INLINE_FRAGMENT) {
      part = expandSet(selection.selectionSet, fragments, variables, items);
    } else {
      part = expandSet(fragments.get(selection.name.value)?.selectionSet, fragments, variables, items);
    }
    sum = {
      depth: Math.max(sum.depth, part.depth),
      fields: sum.fields + part.fields,
      written: sum.written + part.written,
      names: sum.names + part.names,
    };
  }
  return sum;
}

function expandField(
  node: FieldNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  variables: Variables,
  items: number,
): Expanded {
  const name = node.name.value;
  const first = node.arguments?.find((argument) => argument.name.value === 'first')?.value;
  const given =
    first?.kind === Kind.VARIABLE
      ? variables[first.name.value]
      : first?.kind === Kind.INT
        ? Number(first.value)
        : null;
  const size = (given as number | null) ?? (name === 'events' ? 100 : 20);
  const below = expandSet(node.selectionSet, fragments, variables, size);
  const times = name === 'nodes' || name === 'edges' ? items : 1;
  const length = (node.alias ?? node.name).value.length;
  return {
    depth: below.depth + 1,
    fields: below.fields + 1,
    written: 1 + times * below.written,
    names: length + times * below.names,
  };
}

const alias = fc.constantFrom('', '', 'a: ', 'a_long_name_for_a_field: ');
const at = fc.constantFrom('', '', '', '@include(if: $yes)', '@skip(if: $yes)', '@skip(if: true)');
const size = fc.constantFrom('', '(first: 3)', '(first: 0)', '(first: $n)');

/** Fields of a type, as deep as `fuel` allows. Spreads refer only to later fragments: none is circular. */
function setOf(type: 'Query' | 'Run' | 'RunnerJob' | 'RunnerEvent', fuel: number): fc.Arbitrary<string> {
  const leaf = {
    Query: '__typename',
    Run: 'createdAt',
    RunnerJob: 'status',
    RunnerEvent: 'data',
  }[type];
  const leaves = fc.tuple(alias, at).map(([name, directive]) => `${name}${leaf} ${directive}`);
  if (fuel === 0) return leaves;
  const page = (field: string, item: 'Run' | 'RunnerEvent') =>
    fc
      .tuple(alias, size, at, setOf(item, fuel - 1), fc.boolean())
      .map(([name, args, directive, set, edges]) =>
        edges
          ? `${name}${field}${args} ${directive} { edges { cursor node { ${set} } } pageInfo { hasNextPage } }`
          : `${name}${field}${args} ${directive} { nodes { ${set} } }`,
      );
  const object = (field: string, item: 'Run' | 'RunnerJob' | 'RunnerEvent') =>
    fc.tuple(alias, at, setOf(item, fuel - 1)).map(([name, on, set]) => `${name}${field} ${on} { ${set} }`);
  const inline = fc.tuple(at, setOf(type, fuel - 1)).map(([on, set]) => `... on ${type} ${on} { ${set} }`);
  const spread = fc.tuple(fc.constantFrom(...LEVELS), at).map(([level, on]) => {
    return level < fuel ? `...${type}${level} ${on}` : leaf;
  });
  const objects = {
    Query: [page('runs', 'Run'), object('run(id: "r")', 'Run'), object('job(runId: "r")', 'RunnerJob')],
    Run: [page('events', 'RunnerEvent'), object('terminal', 'RunnerEvent'), object('job', 'RunnerJob')],
    RunnerJob: [object('run', 'Run')],
    RunnerEvent: [],
  }[type];
  return fc
    .array(fc.oneof(leaves, inline, spread, ...objects), { minLength: 1, maxLength: 4 })
    .map((list) => list.join('\n'));
}

const LEVELS = [1, 2, 3];
const TYPES = ['Query', 'Run', 'RunnerJob', 'RunnerEvent'] as const;

const text = fc
  .tuple(
    setOf('Query', 4),
    ...TYPES.flatMap((type) =>
      LEVELS.map((level) =>
        setOf(type, level).map((set) => `fragment ${type}${level} on ${type} { ${set} }`),
      ),
    ),
  )
  .map(([query, ...fragments]) => `query ($yes: Boolean!, $n: Int) { ${query} }\n${fragments.join('\n')}`);

const variables = fc.record({ yes: fc.boolean(), n: fc.constantFrom(0, 5, 70) });

test('a price equals that of the expanded document, and is never below the number of written fields', () => {
  fc.assert(
    fc.property(text, variables, (query, values) => {
      const document = parse(query);
      const expanded = expand(document, values);
      const { price } = priced(document, values);
      expect([price.depth, price.fields]).toEqual([expanded.depth, expanded.fields]);
      expect(price.cost).toBeGreaterThanOrEqual(expanded.written);
      expect(price.bytes).toBeGreaterThanOrEqual(expanded.names);
      const unknown = priced(document, null).price;
      expect(unknown.fields).toBeGreaterThanOrEqual(price.fields);
      expect(unknown.cost).toBeGreaterThanOrEqual(price.cost);
    }),
    { numRuns: RUNS },
  );
});

test('pricing visits each selection once, however often its fragment is spread', () => {
  for (const levels of [10, 20, 40]) {
    const path = (index: number) => `job { run { ${index < levels - 1 ? `...F${index + 1}` : 'id'} } }`;
    const fragments = Array.from(
      { length: levels },
      (_, index) => `fragment F${index} on Run { a: ${path(index)} b: ${path(index)} }`,
    );
    const document = parse(`{ run(id: "absent") { ...F0 } } ${fragments.join(' ')}`);
    let visits = 0;
    const { price } = priced(document, {}, () => {
      visits += 1;
    });
    // The field `run` and its spread, then six selections per level.
    expect(visits).toBe(2 + 6 * levels);
    expect(price.fields).toBeGreaterThan(2 ** levels);
  }
});

test('numbers are capped while arithmetic is exact, and an empty page does not undo the cap', () => {
  const levels = 400;
  const fragments = Array.from(
    { length: levels },
    (_, index) => `fragment F${index} on Run { ${`...F${index + 1} `.repeat(8)} }`,
  );
  const document = parse(
    `{ runs(first: 0) { nodes { ...F0 } } } ${fragments.join(' ')} fragment F${levels} on Run { id }`,
  );
  const { price } = priced(document);
  expect(price.fields).toBe(Number.MAX_SAFE_INTEGER);
  expect(Number.isSafeInteger(price.cost)).toBe(true);
});

test.each([
  [
    'circular fragments',
    '{ ...A } fragment A on Query { ...B ...A } fragment B on Query { server { ...A } }',
  ],
  [
    'unknown fields, types and fragments',
    '{ nope { nor { this } } ...C ... on Nowhere { x } run { y { z } } }',
  ],
  ['missing arguments', '{ runs(first: "x", last: {}) @skip { nodes @include(if: 1) { id } } }'],
])('an invalid document has a price: %s', (_name, query) => {
  const { price } = priced(parse(query));
  expect(price.fields).toBeGreaterThan(0);
  expect(Number.isSafeInteger(price.cost)).toBe(true);
});

test('only operations that depend on variables are priced again', () => {
  expect(priced(parse('query ($id: ID!) { run(id: $id) { id } }')).varies).toBe(false);
  expect(priced(parse('query ($n: Int) { runs(first: $n) { nodes { id } } }')).varies).toBe(true);
  const document = parse('query ($n: Int = 7) { runs(first: $n) { nodes { id } } }');
  const cost = (values: Variables) => priced(document, values).price.cost;
  expect(cost({})).toBe(cost({ n: 7 }));
  expect(cost({ n: null })).toBe(cost({ n: 20 }));
  expect(cost({ n: 'x' })).toBe(cost({ n: 100 }));
  expect(cost({ n: 1e9 })).toBe(cost({ n: 100 }));
});

const EVENT = 'seq tMs kind data sourceSeq committedAt __typename';
const RUN =
  'id workspaceId provider runtime title labels createdAt startedAt endedAt ended lastSeq nextSeq lastTMs eventCount';
const JOB = `status substrate runner image region resources { cpus memoryMb } maxRunDurationMs
  handle { appName machineId } terminalErrorClass terminalErrorMessage exitCode createdAt startedAt endedAt consoleUrl
  resourceStats { cpuPercent memoryMb networkRxBytes networkTxBytes }`;

test.each([
  ['introspection', getIntrospectionQuery()],
  [
    'introspection with everything that GraphiQL requests',
    getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    }),
  ],
  [
    '100 filtered runs, with all of their fields, terminal events and jobs',
    `{ runs(first: 100, filter: { ended: true }) { nodes { ${RUN} terminal { ${EVENT} } job { ${JOB} } }
       pageInfo { hasNextPage endCursor } } }`,
  ],
  [
    'a run with 1,000 events, all of their fields, and its job with its logs',
    `{ run(id: "r") { ${RUN} job { ${JOB} logs(lines: 100) }
       events(first: 1000) { edges { cursor node { ${EVENT} } } pageInfo { hasNextPage endCursor } } } }`,
  ],
  [
    '100 runs with their last ten events',
    `{ runs(first: 100) { nodes { ${RUN} events(last: 10) { nodes { ${EVENT} } } } } }`,
  ],
  [
    'the longest batches of a feed',
    `subscription { runEventBatches(runId: "r", maxEvents: 1024) {
       runId cursor caughtUp ended gap { fromSeq toSeq reason } events { ${EVENT} } __typename } }`,
  ],
  ['changes of runs', `subscription { runUpdated { ${RUN} terminal { ${EVENT} } job { ${JOB} } } }`],
])('the queries of a dashboard are allowed: %s', (_name, query) => {
  const document = documents.parse(query);
  expect(validate(publicSchema, document)).toEqual([]);
  expect(refusedForCost({ document } as OperationRequest)).toBeNull();
});

test('a refusal names the limit, the value and the allowed maximum', () => {
  const pages = Array.from({ length: 20 }, (_, index) => `e${index}: events(first: 1000) { nodes { seq } }`);
  const document = documents.parse(`{ run(id: "r") { ${pages.join(' ')} } }`);
  const refusal = refusedForCost({ document } as OperationRequest);
  const { extensions, message } = refusal!;
  expect(extensions).toMatchObject({ code: 'DOCUMENT_TOO_LARGE', what: 'cost', allowed: OPERATION_COST });
  expect(extensions.price).toBeGreaterThan(OPERATION_COST);
  expect(message).toContain(String(extensions.price));
});
