import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  visit,
} from 'graphql';
import type { Weigh } from '../../feed/portion.ts';
import { assertWithin, documentTooLarge } from '../errors/faults.ts';
import { DOCUMENT_LIMITS, OPERATION_COST, SUBSCRIPTION_COST, SUBSCRIPTION_LIMITS } from '../price/limits.ts';
import { createPricing, type Price, type Priced, priceOperation } from '../price/price.ts';
import { createPriceList } from '../price/price-list.ts';
import { publicSchema } from '../schema.ts';
import type { OperationRequest } from './request.ts';

const priceList = createPriceList(publicSchema);

/**
 * Throws DOCUMENT_TOO_LARGE if an operation exceeds the limits with its fragments expanded, for any values of
 * its variables. Also accepts invalid documents: it runs before validation, so that only small documents are
 * validated.
 */
export function assertBounded(document: DocumentNode): void {
  const price = createPricing(document, { schema: publicSchema, priceList, variables: null });
  for (const node of document.definitions) {
    if (node.kind === Kind.OPERATION_DEFINITION) assertOperationBounded(node, price(node).price);
  }
  assertBatchesUsedOnce(document);
}

/**
 * A request's weight is checked once, so each batch in its variables may be used only once. Every fragment counts
 * for every operation, used or not. Each definition is visited once: with visits for each operation, a document of
 * 20 KB with 490 operations took a second.
 */
function assertBatchesUsedOnce({ definitions }: DocumentNode): void {
  const inFragments = new Set<string>();
  for (const node of definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) for (const batch of batchesIn(node)) use(batch, inFragments);
  }
  for (const node of definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION) continue;
    const used = new Set<string>();
    for (const batch of batchesIn(node)) {
      if (inFragments.has(batch)) throw usedTwice(batch);
      use(batch, used);
    }
  }
}

function use(batch: string, used: Set<string>): void {
  if (used.has(batch)) throw usedTwice(batch);
  used.add(batch);
}

function usedTwice(batch: string): GraphQLError {
  return documentTooLarge(`uses of the batch in $${batch}`, 2, 1);
}

/** Returns the variables that a definition passes to `ingestEvents` as batches, once for each use. */
function batchesIn(definition: OperationDefinitionNode | FragmentDefinitionNode): string[] {
  const batches: string[] = [];
  visit(definition, {
    Field: ({ name, arguments: given }) => {
      if (name.value !== 'ingestEvents') return;
      const batch = given?.find((argument) => argument.name.value === 'batch')?.value;
      if (batch?.kind === Kind.VARIABLE) batches.push(batch.name.value);
    },
    // Literals may be long, and contain no field.
    Argument: () => false,
  });
  return batches;
}

function assertOperationBounded(operation: OperationDefinitionNode, price: Price): void {
  const subscribes = operation.operation === OperationTypeNode.SUBSCRIPTION;
  const fields = subscribes ? SUBSCRIPTION_LIMITS.fields : DOCUMENT_LIMITS.fields;
  assertWithin('fields', price.fields, fields);
  assertWithin('levels of fields', price.depth, DOCUMENT_LIMITS.depth);
  assertWithin('fields that read lists', price.reads, DOCUMENT_LIMITS.reads);
  assertWithin('logs', price.logs, DOCUMENT_LIMITS.logs);
  if (subscribes) assertWithin('fields for the data of an event', price.data, SUBSCRIPTION_LIMITS.data);
}

/** Returns the fault of an operation that costs too much with these variables; otherwise null. */
export function refusedForCost(request: OperationRequest): GraphQLError | null {
  const { cost } = priceOf(request);
  if (cost <= SUBSCRIPTION_COST) return null;
  const operation = getOperationAST(request.document, request.operationName)?.operation;
  const allowed = operation === OperationTypeNode.SUBSCRIPTION ? SUBSCRIPTION_COST : OPERATION_COST;
  return cost > allowed ? documentTooLarge('cost', cost, allowed) : null;
}

/** The cached price of an operation. */
interface Known {
  readonly priced: Priced;
  /** The prices of pending requests, if they depend on variables: each is looked up repeatedly. */
  readonly byVariables: WeakMap<object, Price>;
}
const known = new WeakMap<DocumentNode, Map<string | null, Known>>();

const NO_VARIABLES: Readonly<Record<string, unknown>> = {};
const FREE: Price = { depth: 0, fields: 0, reads: 0, logs: 0, data: 0, bytesOnce: 0, cost: 0, bytes: 0 };

/** Returns the price of the requested operation with its variables. An unknown operation costs nothing. */
export function priceOf({ document, operationName = null, variableValues }: OperationRequest): Price {
  let ofDocument = known.get(document);
  if (!ofDocument) {
    ofDocument = new Map();
    known.set(document, ofDocument);
  }
  const variables = variableValues ?? NO_VARIABLES;
  const before = ofDocument.get(operationName);
  if (before && !before.priced.varies) return before.priced.price;
  const same = before?.byVariables.get(variables);
  if (same) return same;
  const operation = getOperationAST(document, operationName);
  // Not cached: clients can invent any number of names.
  if (!operation) return FREE;
  const priced = priceOperation(document, operation, { schema: publicSchema, priceList, variables });
  const byVariables = before?.byVariables ?? new WeakMap<object, Price>();
  ofDocument.set(operationName, { priced, byVariables });
  byVariables.set(variables, priced.price);
  return priced.price;
}

const weighings = new WeakMap<Price, Weigh>();

/**
 * Returns the bytes of an event in the answer: names, short values, and `data` once per selection. The same price
 * gives the same function, by which the feed recognizes readers that want the same portions.
 */
export function weighEvents(price: Price): Weigh {
  const known = weighings.get(price);
  if (known) return known;
  const { bytesOnce, data } = price;
  const weigh: Weigh = (event) => bytesOnce + Math.max(1, data) * event.data.length;
  weighings.set(price, weigh);
  return weigh;
}
