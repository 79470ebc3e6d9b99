import { LRUCache } from 'lru-cache';
import { totalsOf } from '../../config/totals.ts';
import type { FeedRequest } from '../../feed/batches.ts';
import type { Feed } from '../../feed/feed.ts';
import type { StoredEvent } from '../../store/store.ts';
import type { AnsweredBatch, FeedWriter } from './writer.ts';

/** Bytes of cached payloads over all selections: clients may use any number of different selections. */
const MAX_BYTES = totalsOf().sharedPayloadBytes;
/** The memory of a cached payload in addition to its bytes. */
const OVERHEAD_BYTES = 200;

/** Looked up for every subscriber and its events, so this is not an LRU cache: when full, all of it is dropped. */
interface EventPayloads {
  readonly byWriter: WeakMap<FeedWriter, PayloadsOfWriter>;
  bytes: number;
}

interface PayloadsOfWriter {
  readonly byEvent: WeakMap<StoredEvent, Buffer>;
  /** Readers at the same place get the same portion, so each does one look-up, not one per event. */
  readonly byPortion: WeakMap<readonly StoredEvent[], readonly Buffer[]>;
}

let events: EventPayloads = { byWriter: new WeakMap(), bytes: 0 };

/**
 * Returns the payloads of events, which all subscribers with one selection share while the events are in memory.
 * `check` may throw for an event whose payload must not be created.
 */
export function eventPayloads(
  writer: FeedWriter,
  portion: readonly StoredEvent[],
  check: (event: StoredEvent) => void,
): readonly Buffer[] {
  // A live run mostly has one event at a time: an array and two entries for each would only burden the collector.
  if (portion.length === 1) return [eventPayload(writer, portion[0]!, check)];
  const known = events.byWriter.get(writer)?.byPortion.get(portion);
  if (known) return known;
  const payloads = portion.map((event) => eventPayload(writer, event, check));
  payloadsOf(writer).byPortion.set(portion, payloads);
  return payloads;
}

function eventPayload(writer: FeedWriter, event: StoredEvent, check: (event: StoredEvent) => void): Buffer {
  const known = payloadsOf(writer).byEvent.get(event);
  if (known) return known;
  check(event);
  if (events.bytes > MAX_BYTES) events = { byWriter: new WeakMap(), bytes: 0 };
  const payload = Buffer.from(writer.event(event));
  payloadsOf(writer).byEvent.set(event, payload);
  events.bytes += payload.length + OVERHEAD_BYTES;
  return payload;
}

function payloadsOf(writer: FeedWriter): PayloadsOfWriter {
  let ofWriter = events.byWriter.get(writer);
  if (!ofWriter) {
    ofWriter = { byEvent: new WeakMap(), byPortion: new WeakMap() };
    events.byWriter.set(writer, ofWriter);
  }
  return ofWriter;
}

/** Does not reference the batches: their events would stay in memory however small the payloads are. */
const batches = new LRUCache<string, Buffer>({
  maxSize: MAX_BYTES,
  sizeCalculation: ({ length }) => length + OVERHEAD_BYTES,
});

/** Returns a key for the source of a batch's events: the feed, the run and the kinds. */
export function batchOrigin(feed: Feed, { run, kinds }: Pick<FeedRequest, 'run' | 'kinds'>): string {
  return `${idOf(feed)} ${run} ${kinds ? [...kinds].sort().join() : 'all'}`;
}

/** Returns the payload of a batch, shared by subscribers with one selection while it is among the newest. */
export function batchPayload(writer: FeedWriter, origin: string, batch: AnsweredBatch): Buffer {
  const { events: all, cursor, caughtUp, ended, gap } = batch;
  // Events never change, so the first `seq`, the cursor and the number of events identify them.
  const which = `${all[0]?.seq} ${cursor} ${all.length} ${gap?.fromSeq} ${gap?.toSeq}`;
  const key = `${idOf(writer)} ${origin} ${which} ${caughtUp} ${ended}`;
  const known = batches.get(key);
  if (known) return known;
  const payload = Buffer.from(writer.batch(batch));
  batches.set(key, payload);
  return payload;
}

const ids = new WeakMap<object, number>();
let lastId = 0;

function idOf(keyed: object): number {
  let id = ids.get(keyed);
  if (id === undefined) {
    lastId += 1;
    id = lastId;
    ids.set(keyed, id);
  }
  return id;
}
