import {
  BREAK,
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  getOperationAST,
  Kind,
  locatedError,
  OperationTypeNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { validateRunnerEventBatch } from '../../contract/validate.ts';
import { type Appended, appendBatch } from '../../runs/append.ts';
import type { OperationRequest } from '../operations/request.ts';
import { collectFields, fragmentsOf, rootField } from '../price/selection.ts';

type Accepted = Extract<Appended, { readonly ok: true }>;
type Rejected = Extract<Appended, { readonly ok: false }>;

/** One field of an answer: its key, and a function that returns its value. */
interface Answered<Outcome> {
  readonly key: string;
  readonly read: (outcome: Outcome) => unknown;
}

/** The compiled answer to the `ingestEvents` of a document. */
interface Plan {
  readonly field: FieldNode;
  /** The names of the variables that hold the arguments. */
  readonly batch: string;
  readonly previousSeq: string | null;
  readonly accepted: readonly Answered<Accepted>[];
  readonly rejected: readonly Answered<Rejected>[];
}

/** Functions that return the fields of a type. The executor handles selections with any other field. */
type Readers<Outcome> = Readonly<Record<string, (outcome: Outcome) => unknown>>;

const ACCEPTED_FIELDS: Readers<Accepted> = {
  __typename: () => 'IngestEventsSuccess',
  accepted: ({ accepted }) => accepted,
  duplicates: ({ duplicates }) => duplicates,
  lastSeq: ({ head }) => head.lastSeq,
  lastSourceSeq: ({ head }) => head.lastSourceSeq,
  ended: ({ head }) => head.terminalSeq !== null,
};

const REJECTED_FIELDS: Readers<Rejected> = {
  __typename: () => 'BatchRejected',
  code: ({ code }) => code,
  message: ({ message }) => message,
  eventIndex: ({ eventIndex }) => eventIndex,
  expectedSeq: ({ expectedSeq }) => expectedSeq,
};

/**
 * Answers a plain `ingestEvents` exactly like the executor, but without it: the executor took two thirds of
 * the time that a batch of eight costs before it is stored. Returns null for every other operation and for
 * every request that the executor may refuse: executing such a request reports what is wrong.
 */
export function ingestDirectly(request: OperationRequest): Promise<ExecutionResult> | null {
  const plan = planOf(request);
  if (!plan) return null;
  const batch = request.variableValues?.[plan.batch];
  const previousSeq = plan.previousSeq === null ? null : (request.variableValues?.[plan.previousSeq] ?? null);
  if (batch == null || !isPlace(previousSeq)) return null;
  return answer(plan, request.contextValue, batch, previousSeq);
}

function isPlace(value: unknown): value is number | null {
  return value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value >= -1);
}

async function answer(
  { field, accepted, rejected }: Plan,
  context: OperationRequest['contextValue'],
  batch: unknown,
  previousSeq: number | null,
): Promise<ExecutionResult> {
  const key = field.alias?.value ?? field.name.value;
  try {
    const appended = await appendBatch(context, validateRunnerEventBatch(batch), previousSeq);
    const answer = appended.ok ? read(accepted, appended) : read(rejected, appended);
    return { data: { [key]: answer } };
  } catch (error) {
    return { errors: [locatedError(error, [field], [key])], data: null };
  }
}

function read<Outcome>(answered: readonly Answered<Outcome>[], outcome: Outcome): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const { key, read } of answered) values[key] = read(outcome);
  return values;
}

const plans = new WeakMap<DocumentNode, Map<string | null, Plan | null>>();

function planOf({ document, operationName = null }: OperationRequest): Plan | null {
  let ofDocument = plans.get(document);
  if (!ofDocument) {
    ofDocument = new Map();
    plans.set(document, ofDocument);
  }
  const known = ofDocument.get(operationName);
  if (known !== undefined) return known;
  const plan = makePlan(document, operationName);
  // Plans of names without an operation are not cached: clients can invent any number of names.
  if (getOperationAST(document, operationName)) ofDocument.set(operationName, plan);
  return plan;
}

function makePlan(document: DocumentNode, operationName: string | null): Plan | null {
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== OperationTypeNode.MUTATION || hasDirectives(document)) return null;
  const field = rootField(operation);
  if (field?.name.value !== 'ingestEvents') return null;
  const definitions = operation.variableDefinitions ?? [];
  const batch = variableOf(field, 'batch', definitions);
  const previousSeq = variableOf(field, 'previousSeq', definitions);
  const used = [batch, previousSeq].filter((definition) => definition !== null);
  if (!batch || used.length !== (field.arguments?.length ?? 0) || used.length !== definitions.length)
    return null;
  // The executor refuses the request if such a variable is absent.
  if (previousSeq?.type.kind === Kind.NON_NULL_TYPE) return null;
  const scope = { fragments: fragmentsOf(document), variables: {} };
  const accepted = answered(
    collectFields(['IngestEventsSuccess', 'IngestEventsResult'], [field], scope),
    ACCEPTED_FIELDS,
  );
  const rejected = answered(
    collectFields(['BatchRejected', 'Error', 'IngestEventsResult'], [field], scope),
    REJECTED_FIELDS,
  );
  if (!accepted || !rejected) return null;
  return {
    field,
    batch: batch.variable.name.value,
    previousSeq: previousSeq?.variable.name.value ?? null,
    accepted,
    rejected,
  };
}

function hasDirectives(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}

/** Returns the definition of the variable in this argument; null if there is none or it has a default. */
function variableOf(
  field: FieldNode,
  argument: string,
  definitions: readonly VariableDefinitionNode[],
): VariableDefinitionNode | null {
  const value = field.arguments?.find(({ name }) => name.value === argument)?.value;
  if (value?.kind !== Kind.VARIABLE) return null;
  const definition = definitions.find(({ variable }) => variable.name.value === value.name.value);
  return definition && !definition.defaultValue ? definition : null;
}

/** Returns null if a requested field has no reader, such as the run: only the executor can answer it. */
function answered<Outcome>(
  fields: ReadonlyMap<string, readonly FieldNode[]>,
  readers: Readers<Outcome>,
): readonly Answered<Outcome>[] | null {
  const list: Answered<Outcome>[] = [];
  for (const [key, [node]] of fields) {
    const read = node && readers[node.name.value];
    if (!read) return null;
    list.push({ key, read });
  }
  return list;
}
