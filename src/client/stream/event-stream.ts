import { createTextPieces } from '../../lib/text/pieces.ts';
import { MESSAGE_MAX_LENGTH } from '../request/answer.ts';

/** One event of a `text/event-stream`. `event` defaults to `message`. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * Creates a parser for a `text/event-stream`. Call it with the text in pieces of any size; it returns the
 * events that are complete. Lines end with LF or CRLF. Throws a RangeError on an event of more than 64 Mi
 * characters, complete or not.
 */
export function createEventStreamParser(): (text: string) => ServerSentEvent[] {
  let rest = createTextPieces();
  let event = 'message';
  let data: string[] = [];
  /** Characters of the event in whole lines. Each line counts its line feed, so empty ones count as well. */
  let length = 0;

  function takeLine(line: string): ServerSentEvent | null {
    length += line.length + 1;
    if (line === '') {
      const whole = data.length > 0 ? { event, data: data.join('\n') } : null;
      event = 'message';
      data = [];
      length = 0;
      return whole;
    }
    const [, field, value = ''] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
    return null;
  }

  return (text) => {
    const [head = '', ...more] = text.split('\n');
    rest.add(head);
    const found: ServerSentEvent[] = [];
    for (const next of more) {
      const line = rest.text();
      rest = createTextPieces();
      rest.add(next);
      const whole = takeLine(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (whole) found.push(whole);
    }
    if (length + rest.length() > MESSAGE_MAX_LENGTH) {
      throw new RangeError('an event has more than 64 Mi characters: is this a runfeed server?');
    }
    return found;
  };
}
