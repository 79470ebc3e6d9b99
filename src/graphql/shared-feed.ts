import {
  type DocumentNode,
  type FieldNode,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  Kind,
  OperationTypeNode,
  type VariableNode,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { mapped, openBatches, openEvents } from '../feed/batches.ts';
import type { Reader, Weigh } from '../feed/cursor.ts';
import { priceOf, weighEvents } from './admission.ts';
import { openFeed } from './feed.ts';
import { compileFeedWriter, type FeedWriter } from './feed-writer.ts';
import { type OperationRequest, refusalOf } from './operations.ts';
import { batchPayload, eventPayload } from './payload-cache.ts';
import { executedSchema } from './schema.ts';
import { rootField } from './selection.ts';

/** Selections of one document that differ in their directives' variables. */
const WRITERS_PER_DOCUMENT = 32;
/** Events of one `runEvents` go to a socket in portions: one write for many messages. A stalled socket holds one. */
const PORTION_EVENTS = 32;
const PORTION_BYTES = 6 * 1024;

/** The answers of a feed subscription as bytes, which all who asked the same share. */
export interface SharedFeed {
  /**
   * Opens a reader of payloads in portions, in order. Ends with the run; throws like the feed. Null when the signal
   * aborts first. The buffers belong to all: they must not be changed.
   */
  open(signal: AbortSignal): Promise<Reader<readonly Buffer[]> | null>;
}

/**
 * Opens a subscription of `runEvents` or `runEventBatches` whose payloads are written once for all subscribers with
 * the same document and the same variables in it, as far as these shape the output. Null when the request is another
 * one, or is at fault: then executing it says what is wrong.
 */
export async function openSharedFeed(request: OperationRequest): Promise<SharedFeed | null> {
  const plan = planOf(request);
  if (!plan) return null;
  const { writer, args, weigh } = plan;
  const { feed } = request.contextValue;
  const opened = await openFeed(request.contextValue, args, weigh).catch(() => null);
  if (!opened) return null;
  const { runId, maxEvents } = opened;
  if (plan.field.name.value === 'runEvents') {
    return {
      open: async (signal) =>
        mapped(await openEvents(feed, opened.request, PORTION_EVENTS, PORTION_BYTES, signal), (events) =>
          events.map((event) => eventPayload(writer, event)),
        ),
    };
  }
  return {
    open: async (signal) =>
      mapped(await openBatches(feed, opened.request, maxEvents, signal), (batch) => [
        batchPayload(writer, { ...batch, runId }),
      ]),
  };
}

interface Plan {
  readonly field: FieldNode;
  readonly writer: FeedWriter;
  readonly args: Readonly<Record<string, unknown>>;
  readonly weigh: Weigh;
}

const writers = new WeakMap<DocumentNode, LRUCache<string, FeedWriter>>();

function planOf(request: OperationRequest): Plan | null {
  // The executor's part of the code says why not.
  if (refusalOf(request)) return null;
  const { document, operationName, variableValues } = request;
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== OperationTypeNode.SUBSCRIPTION || operation.directives?.length) return null;
  const field = rootField(operation);
  if (field?.name.value !== 'runEvents' && field?.name.value !== 'runEventBatches') return null;
  const { coerced } = getVariableValues(
    executedSchema,
    operation.variableDefinitions ?? [],
    variableValues ?? {},
    { maxErrors: 1 },
  );
  const definition = executedSchema.getSubscriptionType()?.getFields()[field.name.value];
  if (!coerced || !definition) return null;
  const args = getArgumentValues(definition, field, coerced);
  const writer = writerOf(document, operationName ?? '', field, coerced);
  return writer && { field, args, writer, weigh: weighEvents(priceOf(request)) };
}

function writerOf(
  document: DocumentNode,
  operationName: string,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): FeedWriter | null {
  let ofDocument = writers.get(document);
  if (!ofDocument) {
    ofDocument = new LRUCache({ max: WRITERS_PER_DOCUMENT });
    writers.set(document, ofDocument);
  }
  const key = JSON.stringify([operationName, shapingVariables(document, field, variables)]);
  const known = ofDocument.get(key);
  if (known) return known;
  const writer = compileFeedWriter(document, field, variables);
  if (writer) ofDocument.set(key, writer);
  return writer;
}

/** Variables that decide what is selected: all but those that are only the root field's own arguments. */
function shapingVariables(
  document: DocumentNode,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const shaping: Record<string, unknown> = {};
  const note = {
    Variable: ({ name }: VariableNode) => {
      shaping[name.value] = variables[name.value];
    },
  };
  if (field.selectionSet) visit(field.selectionSet, note);
  for (const node of document.definitions) if (node.kind === Kind.FRAGMENT_DEFINITION) visit(node, note);
  return shaping;
}
