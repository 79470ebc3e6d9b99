import type { DocumentNode, FieldNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { mapped, openBatches, openEvents } from '../feed/batches.ts';
import type { Reader } from '../feed/cursor.ts';
import type { StoredEvent } from '../store/store.ts';
import { openFeed } from './feed.ts';
import { type AnsweredBatch, compileFeedWriter, type FeedWriter } from './feed-writer.ts';
import type { OperationRequest } from './operations.ts';
import { shapingVariables, subscriptionRoot } from './subscription-root.ts';

/** Selections of one document that differ in their directives' variables. */
const WRITERS_PER_DOCUMENT = 32;
/** Bytes of batches that are kept for the next subscriber who gets the same one. */
const SHARED_BATCH_BYTES = 8 * 1024 * 1024;
/** Events of one `runEvents` go to a socket in portions: one write for many messages. A stalled socket holds one. */
const PORTION_EVENTS = 32;
const PORTION_BYTES = 2 * 1024;

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
  const { writer, args } = plan;
  const { feed } = request.contextValue;
  const opened = await openFeed(request.contextValue, args).catch(() => null);
  if (!opened) return null;
  const { runId, maxEvents } = opened;
  if (plan.field.name.value === 'runEvents') {
    return {
      open: async (signal) =>
        mapped(await openEvents(feed, opened.request, PORTION_EVENTS, PORTION_BYTES, signal), (events) =>
          events.map((event) => writer.event(event)),
        ),
    };
  }
  return {
    open: async (signal) =>
      mapped(await openBatches(feed, opened.request, maxEvents, signal), (batch) => [
        writer.batch({ ...batch, runId }),
      ]),
  };
}

/** A writer whose bytes are kept as long as what they were made of. */
interface SharedWriter {
  event(event: StoredEvent): Buffer;
  batch(batch: AnsweredBatch): Buffer;
}

interface Plan {
  readonly field: FieldNode;
  readonly writer: SharedWriter;
  readonly args: Readonly<Record<string, unknown>>;
}

const writers = new WeakMap<DocumentNode, LRUCache<string, SharedWriter>>();

function planOf(request: OperationRequest): Plan | null {
  const root = subscriptionRoot(request, ['runEvents', 'runEventBatches']);
  if (!root) return null;
  const { field, args, variables } = root;
  const { document, operationName } = request;
  return { field, args, writer: writerOf(document, operationName ?? '', field, variables) };
}

function writerOf(
  document: DocumentNode,
  operationName: string,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): SharedWriter {
  let ofDocument = writers.get(document);
  if (!ofDocument) {
    ofDocument = new LRUCache({ max: WRITERS_PER_DOCUMENT });
    writers.set(document, ofDocument);
  }
  const key = JSON.stringify([operationName, shapingVariables(document, field, variables)]);
  const known = ofDocument.get(key);
  if (known) return known;
  const writer = share(compileFeedWriter(document, field, variables));
  ofDocument.set(key, writer);
  return writer;
}

function share(writer: FeedWriter): SharedWriter {
  const events = new WeakMap<StoredEvent, Buffer>();
  const batches = new LRUCache<string, { readonly batch: AnsweredBatch; readonly bytes: Buffer }>({
    maxSize: SHARED_BATCH_BYTES,
    sizeCalculation: ({ bytes }) => bytes.length + 1,
  });
  return {
    event: (event) => {
      let bytes = events.get(event);
      if (!bytes) {
        bytes = Buffer.from(writer.event(event));
        events.set(event, bytes);
      }
      return bytes;
    },
    batch: (batch) => {
      const { runId, events: all, cursor, caughtUp, ended } = batch;
      const key = `${runId} ${cursor} ${all.length} ${caughtUp} ${ended}`;
      const known = batches.get(key);
      if (known && sameBatch(known.batch, batch)) return known.bytes;
      const bytes = Buffer.from(writer.batch(batch));
      batches.set(key, { batch, bytes });
      return bytes;
    },
  };
}

/** The very same events: two workspaces may have runs of one id, and a filter may have left others out. */
function sameBatch(one: AnsweredBatch, other: AnsweredBatch): boolean {
  return (
    one.gap?.toSeq === other.gap?.toSeq &&
    one.gap?.fromSeq === other.gap?.fromSeq &&
    one.events.every((event, index) => event === other.events[index])
  );
}
