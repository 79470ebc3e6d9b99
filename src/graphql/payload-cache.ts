import { LRUCache } from 'lru-cache';
import { totalsOf } from '../config/totals.ts';
import type { StoredEvent } from '../store/store.ts';
import type { AnsweredBatch, FeedWriter } from './feed-writer.ts';

/** Bytes of kept payloads over all selections: clients may subscribe with any number of them. */
const MAX_BYTES = totalsOf().sharedPayloadBytes;
/** What a kept payload takes next to its bytes. */
const OVERHEAD_BYTES = 200;

/** Looked up for each event and subscriber, so it is no LRU cache: when it is full, all of it is dropped. */
interface EventPayloads {
  readonly byWriter: WeakMap<FeedWriter, WeakMap<StoredEvent, Buffer>>;
  bytes: number;
}

let events: EventPayloads = { byWriter: new WeakMap(), bytes: 0 };

/** The payload of an event, which all subscribers of one selection share for as long as the event is in memory. */
export function eventPayload(writer: FeedWriter, event: StoredEvent): Buffer {
  let ofWriter = events.byWriter.get(writer);
  const known = ofWriter?.get(event);
  if (known) return known;
  if (events.bytes > MAX_BYTES) {
    events = { byWriter: new WeakMap(), bytes: 0 };
    ofWriter = undefined;
  }
  if (!ofWriter) {
    ofWriter = new WeakMap();
    events.byWriter.set(writer, ofWriter);
  }
  const payload = Buffer.from(writer.event(event));
  ofWriter.set(event, payload);
  events.bytes += payload.length + OVERHEAD_BYTES;
  return payload;
}

const batches = new LRUCache<string, { readonly batch: AnsweredBatch; readonly payload: Buffer }>({
  maxSize: MAX_BYTES,
  sizeCalculation: ({ payload }) => payload.length + OVERHEAD_BYTES,
});

const writerIds = new WeakMap<FeedWriter, number>();
let lastWriterId = 0;

/** The payload of a batch, which subscribers of one selection share while it is among the newest of all selections. */
export function batchPayload(writer: FeedWriter, batch: AnsweredBatch): Buffer {
  const { runId, events: all, cursor, caughtUp, ended } = batch;
  const key = `${idOf(writer)} ${runId} ${cursor} ${all.length} ${caughtUp} ${ended}`;
  const known = batches.get(key);
  if (known && sameBatch(known.batch, batch)) return known.payload;
  const payload = Buffer.from(writer.batch(batch));
  batches.set(key, { batch, payload });
  return payload;
}

function idOf(writer: FeedWriter): number {
  let id = writerIds.get(writer);
  if (id === undefined) {
    lastWriterId += 1;
    id = lastWriterId;
    writerIds.set(writer, id);
  }
  return id;
}

/** The very same events: two workspaces may have runs of one id, and a filter may have left others out. */
function sameBatch(one: AnsweredBatch, other: AnsweredBatch): boolean {
  return (
    one.gap?.toSeq === other.gap?.toSeq &&
    one.gap?.fromSeq === other.gap?.fromSeq &&
    one.events.every((event, index) => event === other.events[index])
  );
}
