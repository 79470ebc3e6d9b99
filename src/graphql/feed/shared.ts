import type { DocumentNode, FieldNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { RESPONSE_MAX_LENGTH } from '../../config/limits.ts';
import { mapped, openBatches, openEvents } from '../../feed/batches.ts';
import type { Reader } from '../../feed/cursor.ts';
import type { Weigh } from '../../feed/portion.ts';
import type { StoredEvent } from '../../store/store.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import { responseTooLarge } from '../errors/faults.ts';
import { priceOf, weighEvents } from '../operations/admission.ts';
import type { OperationRequest } from '../operations/request.ts';
import { sharedShape, subscriptionRoot } from '../operations/subscription-root.ts';
import { openFeed } from './fields.ts';
import { batchOrigin, batchPayload, eventPayloads } from './payload-cache.ts';
import { compileFeedWriter, type FeedWriter } from './writer.ts';

/** Cached selections of one document, which differ in the variables of their directives. */
const WRITERS_PER_DOCUMENT = 32;
/** `runEvents` sends portions: one write for many messages. A stalled socket holds one portion. */
const PORTION = { maxEvents: 32, maxBytes: 12 * 1024 };

/** The answers of a feed subscription as bytes, which all subscribers with the same selection share. */
export interface SharedFeed {
  /**
   * Opens a reader of payloads in portions, in order. The reader ends with the run and throws like the feed.
   * Returns null if the signal aborts first. The buffers are shared: callers must not change them.
   */
  open(signal: AbortSignal): Promise<Reader<readonly Buffer[]> | null>;
}

/**
 * Opens a subscription of `runEvents` or `runEventBatches` whose payloads are written once for all
 * subscribers with the same document and the same values of the variables that shape the output. Returns null
 * for other operations, for long variables and for invalid requests. The caller must then execute the
 * request, which reports any fault. Throws `StoreUnavailable`. The caller has checked the request's rights and
 * price.
 */
export async function openSharedFeed(request: OperationRequest): Promise<SharedFeed | null> {
  const plan = planOf(request);
  if (!plan) return null;
  const { writer, args, weigh } = plan;
  const { feed } = request.contextValue;
  const opened = await openFeed(request.contextValue, args, weigh).catch((error: unknown) => {
    if (error instanceof StoreUnavailable) throw error;
    return null;
  });
  if (!opened) return null;
  const { runId, maxEvents } = opened;
  if (plan.field.name.value === 'runEvents') {
    const toPayloads = portionWriter(writer, weigh);
    return { open: (signal) => openEvents(feed, opened.request, PORTION, signal, toPayloads) };
  }
  return {
    open: async (signal) => {
      const origin = batchOrigin(feed, opened.request);
      return mapped(await openBatches(feed, opened.request, maxEvents, signal), (batch) => {
        // Only the last event of a batch can be large: it ends the batch.
        const last = batch.events.at(-1);
        if (last) assertWritable(weigh(last));
        return [batchPayload(writer, origin, { ...batch, runId })];
      });
    },
  };
}

/** A separate function, because its result lives as long as the subscription, and so does all that it captures. */
function portionWriter(
  writer: FeedWriter,
  weigh: Weigh,
): (events: readonly StoredEvent[]) => readonly Buffer[] {
  const check = (event: StoredEvent) => assertWritable(weigh(event));
  return (events) => eventPayloads(writer, events, check);
}

/** Throws RESPONSE_TOO_LARGE for a payload above an answer's limit. Only that subscription ends. */
function assertWritable(bytes: number): void {
  if (bytes > RESPONSE_MAX_LENGTH) throw responseTooLarge();
}

interface Plan {
  readonly field: FieldNode;
  readonly writer: FeedWriter;
  readonly args: Readonly<Record<string, unknown>>;
  readonly weigh: Weigh;
}

const writers = new WeakMap<DocumentNode, LRUCache<string, FeedWriter>>();

function planOf(request: OperationRequest): Plan | null {
  const root = subscriptionRoot(request, ['runEvents', 'runEventBatches']);
  if (!root) return null;
  const { field, args, variables } = root;
  const shape = sharedShape(request, root);
  const writer = shape && writerOf(request.document, shape.key, field, variables);
  return writer && { field, args, writer, weigh: weighEvents(priceOf(request)) };
}

function writerOf(
  document: DocumentNode,
  key: string,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): FeedWriter | null {
  let ofDocument = writers.get(document);
  if (!ofDocument) {
    ofDocument = new LRUCache({ max: WRITERS_PER_DOCUMENT });
    writers.set(document, ofDocument);
  }
  const known = ofDocument.get(key);
  if (known) return known;
  const writer = compileFeedWriter(document, field, variables);
  if (writer) ofDocument.set(key, writer);
  return writer;
}
