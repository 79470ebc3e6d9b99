/** One event of a `text/event-stream`. `event` defaults to `message`. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** No line of a runfeed server's event is longer. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

/**
 * Creates a parser for a `text/event-stream`. Call it with the text in pieces of any size; it returns the
 * events that are complete. Lines end with LF or CRLF. Throws a RangeError on a line of more than 64 Mi
 * characters.
 */
export function createEventStreamParser(): (text: string) => ServerSentEvent[] {
  let rest = '';
  let event = 'message';
  let data: string[] = [];

  function takeLine(line: string): ServerSentEvent | null {
    if (line === '') {
      const whole = data.length > 0 ? { event, data: data.join('\n') } : null;
      event = 'message';
      data = [];
      return whole;
    }
    const [, field, value = ''] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
    return null;
  }

  return (text) => {
    rest += text;
    if (!text.includes('\n')) {
      if (rest.length > MAX_LINE_CHARACTERS) throw new RangeError('a line of the event stream is too long');
      return [];
    }
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    return lines.flatMap((line) => takeLine(line.endsWith('\r') ? line.slice(0, -1) : line) ?? []);
  };
}
