import type { DocumentNode, FieldNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { RESPONSE_MAX_LENGTH } from '../config/limits.ts';
import { mapped, openBatches, openEvents } from '../feed/batches.ts';
import type { Reader } from '../feed/cursor.ts';
import type { Weigh } from '../feed/portion.ts';
import { priceOf, weighEvents } from './admission.ts';
import { responseTooLarge } from './faults.ts';
import { openFeed } from './feed.ts';
import { compileFeedWriter, type FeedWriter } from './feed-writer.ts';
import type { OperationRequest } from './operation-request.ts';
import { batchOrigin, batchPayload, eventPayloads } from './payload-cache.ts';
import { sharedShape, subscriptionRoot } from './subscription-root.ts';

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
 * one, has long variables, or is at fault: then it has to be executed, which says what is wrong.
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
          eventPayloads(writer, events, (event) => assertWritable(weigh(event))),
        ),
    };
  }
  return {
    open: async (signal) => {
      const origin = batchOrigin(feed, opened.request);
      return mapped(await openBatches(feed, opened.request, maxEvents, signal), (batch) => {
        // A batch ends with the event that makes it large.
        const last = batch.events.at(-1);
        if (last) assertWritable(weigh(last));
        return [batchPayload(writer, origin, { ...batch, runId })];
      });
    },
  };
}

/** Throws RESPONSE_TOO_LARGE for a payload that would be longer than an answer may be: its subscription alone ends. */
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
