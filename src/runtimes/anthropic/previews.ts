import { createHash, type Hash } from 'node:crypto';

const MAX_PREVIEWS = 256;
const MAX_BLOCKS = 256;
const MAX_ID_LENGTH = 512;

/** The streamed text of one block before its complete event: its length, and a hash to recognize it. */
interface ToldText {
  length: number;
  readonly hash: Hash;
}

/**
 * The events that are streamed in pieces before they arrive complete. Keeps only hashes, no text. Keeps at
 * most 256 events, because an event that never arrives complete is never removed.
 */
export interface Previews {
  /** Announces an event of this type. */
  open(eventId: string, type: string | undefined): void;
  /** Returns the announced type; undefined if the event was not announced. */
  typeOf(eventId: string): string | undefined;
  /** Adds a piece of a block's text. Returns false if the piece must wait for the complete event. */
  tell(eventId: string, index: number, text: string): boolean;
  /** Removes an event that has arrived complete, and returns what was streamed of it. */
  take(eventId: string): PreviewedEvent;
}

/** The streamed pieces of an event that has arrived complete. */
export interface PreviewedEvent {
  /** Returns the text after the streamed pieces; null if they are not its beginning. Call once per block. */
  rest(index: number, text: string): string | null;
  /** Returns the indexes of the streamed blocks for which `rest` was not called. */
  others(): number[];
}

interface Preview {
  readonly type: string | undefined;
  readonly told: Map<number, ToldText>;
}

/** Creates an empty set of previews. */
export function createPreviews(): Previews {
  const previews = new Map<string, Preview>();

  const previewOf = (eventId: string, type: string | undefined): Preview | null => {
    const known = previews.get(eventId);
    if (known !== undefined) return known;
    if (eventId.length > MAX_ID_LENGTH) return null;
    const [oldest] = previews.keys();
    if (previews.size >= MAX_PREVIEWS && oldest !== undefined) previews.delete(oldest);
    const preview = { type, told: new Map<number, ToldText>() };
    previews.set(eventId, preview);
    return preview;
  };

  return {
    open(eventId, type) {
      previewOf(eventId, type);
    },
    typeOf: (eventId) => previews.get(eventId)?.type,
    tell(eventId, index, text) {
      const told = previewOf(eventId, undefined)?.told;
      if (told === undefined || (!told.has(index) && told.size >= MAX_BLOCKS)) return false;
      const block = told.get(index) ?? { length: 0, hash: createHash('sha256') };
      told.set(index, block);
      block.length += text.length;
      // UTF-16 rather than UTF-8, because a piece may end within a surrogate pair.
      block.hash.update(text, 'utf16le');
      return true;
    },
    take(eventId) {
      const told = new Map(previews.get(eventId)?.told);
      previews.delete(eventId);
      return {
        rest(index, text) {
          const block = told.get(index);
          if (block === undefined) return text;
          told.delete(index);
          const start = createHash('sha256').update(text.slice(0, block.length), 'utf16le');
          return start.digest('hex') === block.hash.digest('hex') ? text.slice(block.length) : null;
        },
        others: () => [...told.keys()],
      };
    },
  };
}
