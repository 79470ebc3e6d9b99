import { createHash, type Hash } from 'node:crypto';

const MAX_PREVIEWS = 256;
const MAX_BLOCKS = 256;
const MAX_ID_LENGTH = 512;

/** What was told of one text block ahead of the event that holds all of it: how much, and a hash to know it by. */
interface ToldText {
  length: number;
  readonly hash: Hash;
}

/**
 * The events that are told piece by piece before they come whole. Keeps no text, only hashes; of 256 events, since one
 * that never comes whole is never taken out.
 */
export interface Previews {
  /** An event of this type is going to come. */
  open(eventId: string, type: string | undefined): void;
  /** The type with which it was announced, if it was. */
  typeOf(eventId: string): string | undefined;
  /** A piece of a block's text. False if it may not be told now, for it comes again with the whole. */
  tell(eventId: string, index: number, text: string): boolean;
  /** Takes the event out, now that it has come whole. */
  take(eventId: string): PreviewedEvent;
}

/** What was told before of an event that has come whole. */
export interface PreviewedEvent {
  /** What of this block's text is still to be told; null if what was told is not how the text begins. Ask once. */
  rest(index: number, text: string): string | null;
  /** The blocks that were told and not asked for. */
  others(): number[];
}

interface Preview {
  readonly type: string | undefined;
  readonly told: Map<number, ToldText>;
}

/** No previews. */
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
      // UTF-16 rather than UTF-8, since a piece may end within a surrogate pair.
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
