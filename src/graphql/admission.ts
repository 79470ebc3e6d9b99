import {
  type DocumentNode,
  type GraphQLError,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  visit,
} from 'graphql';
import type { Weigh } from '../feed/portion.ts';
import { assertWithin, documentTooLarge } from './faults.ts';
import { DOCUMENT_LIMITS, OPERATION_COST, SUBSCRIPTION_COST, SUBSCRIPTION_LIMITS } from './limits.ts';
import type { OperationRequest } from './operation-request.ts';
import { createPricing, type Price, type Priced, priceOperation } from './price.ts';
import { createPriceList } from './price-list.ts';
import { publicSchema } from './schema.ts';

const priceList = createPriceList(publicSchema);

/**
 * Refuses a document whose operations are too big once their fragments are put in place, whatever the variables are.
 * Takes documents that are not valid, so that only small ones are validated.
 */
export function assertBounded(document: DocumentNode): void {
  const price = createPricing(document, { schema: publicSchema, priceList, variables: null });
  for (const node of document.definitions) {
    if (node.kind === Kind.OPERATION_DEFINITION) assertOperationBounded(node, price(node).price);
  }
  assertBatchesUsedOnce(document);
}

/** A request's weight is checked once, so each batch in its variables may be checked, copied and stored only once. */
function assertBatchesUsedOnce({ definitions }: DocumentNode): void {
  const inFragments = definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  const operations = definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  for (const operation of operations) {
    const uses = new Map<string, number>();
    for (const definition of [operation, ...inFragments]) {
      visit(definition, {
        Field: ({ name, arguments: given }) => {
          if (name.value !== 'ingestEvents') return;
          const batch = given?.find((argument) => argument.name.value === 'batch')?.value;
          if (batch?.kind !== Kind.VARIABLE) return;
          const count = (uses.get(batch.name.value) ?? 0) + 1;
          uses.set(batch.name.value, count);
          assertWithin(`uses of the batch in $${batch.name.value}`, count, 1);
        },
      });
    }
  }
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

/** Why an operation costs too much with these variables; null: it does not. */
export function refusedForCost(request: OperationRequest): GraphQLError | null {
  const { cost } = priceOf(request);
  if (cost <= SUBSCRIPTION_COST) return null;
  const operation = getOperationAST(request.document, request.operationName)?.operation;
  const allowed = operation === OperationTypeNode.SUBSCRIPTION ? SUBSCRIPTION_COST : OPERATION_COST;
  return cost > allowed ? documentTooLarge('cost', cost, allowed) : null;
}

/** What is known of an operation's price. */
interface Known {
  readonly priced: Priced;
  /** The prices of requests that have not been answered, where variables have a say: each is asked for several times. */
  readonly byVariables: WeakMap<object, Price>;
}
const known = new WeakMap<DocumentNode, Map<string | null, Known>>();

const NO_VARIABLES: Readonly<Record<string, unknown>> = {};
const FREE: Price = { depth: 0, fields: 0, reads: 0, logs: 0, data: 0, bytesOnce: 0, cost: 0, bytes: 0 };

/** The price of the operation that is asked for, with its variables. One that the document does not have costs nothing. */
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
  // Not remembered: there is no end of names that no operation has.
  if (!operation) return FREE;
  const priced = priceOperation(document, operation, { schema: publicSchema, priceList, variables });
  const byVariables = before?.byVariables ?? new WeakMap<object, Price>();
  ofDocument.set(operationName, { priced, byVariables });
  byVariables.set(variables, priced.price);
  return priced.price;
}

const weighings = new WeakMap<Price, Weigh>();

/**
 * How many bytes of an answer an event comes to: names and short values, and its data as often as it is selected. The
 * same function for the same price, by which feeds know that readers want the same portions.
 */
export function weighEvents(price: Price): Weigh {
  const known = weighings.get(price);
  if (known) return known;
  const { bytesOnce, data } = price;
  const weigh: Weigh = (event) => bytesOnce + Math.max(1, data) * event.data.length;
  weighings.set(price, weigh);
  return weigh;
}
