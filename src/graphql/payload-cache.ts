import { LRUCache } from 'lru-cache';
import { totalsOf } from '../config/totals.ts';
import type { FeedRequest } from '../feed/batches.ts';
import type { Feed } from '../feed/feed.ts';
import type { StoredEvent } from '../store/store.ts';
import type { AnsweredBatch, FeedWriter } from './feed-writer.ts';

/** Bytes of kept payloads over all selections: clients may subscribe with any number of them. */
const MAX_BYTES = totalsOf().sharedPayloadBytes;
/** What a kept payload takes next to its bytes. */
const OVERHEAD_BYTES = 200;

/** Looked up for each subscriber and its events, so it is no LRU cache: when it is full, all of it is dropped. */
interface EventPayloads {
  readonly byWriter: WeakMap<FeedWriter, PayloadsOfWriter>;
  bytes: number;
}

interface PayloadsOfWriter {
  readonly byEvent: WeakMap<StoredEvent, Buffer>;
  /** A feed hands the same portion to all readers at one place: one look-up for each of them, not one for each event. */
  readonly byPortion: WeakMap<readonly StoredEvent[], readonly Buffer[]>;
}

let events: EventPayloads = { byWriter: new WeakMap(), bytes: 0 };

/**
 * The payloads of events, which all subscribers of one selection share for as long as the events are in memory. `check`
 * may throw for an event whose payload must not be made.
 */
export function eventPayloads(
  writer: FeedWriter,
  portion: readonly StoredEvent[],
  check: (event: StoredEvent) => void,
): readonly Buffer[] {
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

/** Without the batches, whose events would stay in memory however small the payloads are. */
const batches = new LRUCache<string, Buffer>({
  maxSize: MAX_BYTES,
  sizeCalculation: ({ length }) => length + OVERHEAD_BYTES,
});

/** Which events batches are made of: those of one run of one feed that are of these kinds. */
export function batchOrigin(feed: Feed, { run, kinds }: Pick<FeedRequest, 'run' | 'kinds'>): string {
  return `${idOf(feed)} ${run} ${kinds ? [...kinds].sort().join() : 'all'}`;
}

/** The payload of a batch, which subscribers of one selection share while it is among the newest of all selections. */
export function batchPayload(writer: FeedWriter, origin: string, batch: AnsweredBatch): Buffer {
  const { events: all, cursor, caughtUp, ended, gap } = batch;
  // Events never change, so the first, the last place and the number of them tell which they are.
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
