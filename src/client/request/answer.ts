import { createTextPieces } from '../../lib/text/pieces.ts';

/**
 * The most that is read of an answer or of one message of a stream: bytes of an answer or of a websocket
 * message, characters of a server-sent event. A server's answers and messages have at most 64 Mi characters,
 * and nearly all of them far fewer.
 */
export const MESSAGE_MAX_LENGTH = 64 * 1024 * 1024;

/** The part of `fetch` that is used here. */
export type FetchLike = (
  url: string,
  request: {
    readonly method: 'POST';
    readonly headers: Record<string, string>;
    readonly body: string;
    readonly signal?: AbortSignal;
  },
) => Promise<Response>;

/** An answer is longer than {@link MESSAGE_MAX_LENGTH}, which no runfeed server sends. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong';
}

/** Returns the text of an answer. Throws {@link AnswerTooLong} and cancels the rest if it is too long. */
export async function textWithin({ body }: Response): Promise<string> {
  if (!body) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const pieces = createTextPieces();
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > MESSAGE_MAX_LENGTH) {
      await reader.cancel().catch(() => {});
      throw new AnswerTooLong('the answer has more than 64 MiB: is this a runfeed server?');
    }
    pieces.add(decoder.decode(value, { stream: true }));
  }
  pieces.add(decoder.decode());
  return pieces.text();
}
