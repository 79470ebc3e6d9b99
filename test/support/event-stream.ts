import { request } from 'node:http';
import { releaseAfterwards } from './releases.ts';

/** One event of a text/event-stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** An event stream, read raw like `curl -N` does. */
export interface EventStream {
  readonly status: number;
  readonly contentType: string;
  /** Returns the next event, or null once the connection has ended for any reason. */
  next(): Promise<StreamEvent | null>;
  /** Returns all further events until the end of the connection. */
  rest(): Promise<StreamEvent[]>;
  /** Returns everything received so far, including comments. */
  text(): string;
  abort(): void;
}

/** Posts an operation and reads the event stream that answers it. */
export function openEventStream(
  url: string,
  query: string,
  variables?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    });
    sent.once('error', reject);
    sent.end(JSON.stringify({ query, variables }));
    releaseAfterwards(() => sent.destroy());
    sent.once('response', (response) => {
      // Parsed text is not scanned again, because a stream of megabytes arrives in thousands of chunks.
      const chunks: string[] = [];
      let pending = '';
      let looked = 0;
      let ended = false;
      let changed = () => {};
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        chunks.push(chunk);
        pending += chunk;
        changed();
      });
      response.on('error', () => {});
      response.once('close', () => {
        ended = true;
        changed();
      });
      const next = async (): Promise<StreamEvent | null> => {
        for (;;) {
          const end = pending.indexOf('\n\n', looked);
          if (end < 0 && ended) return null;
          if (end < 0) {
            looked = Math.max(0, pending.length - 1);
            await new Promise<void>((wake) => {
              changed = wake;
            });
            continue;
          }
          const block = pending.slice(0, end);
          pending = pending.slice(end + 2);
          looked = 0;
          const event = /^event: ?(.*)$/m.exec(block)?.[1];
          if (event !== undefined) return { event, data: /^data: ?(.*)$/m.exec(block)?.[1] ?? '' };
        }
      };
      resolve({
        status: response.statusCode ?? 0,
        contentType: String(response.headers['content-type'] ?? ''),
        next,
        rest: async () => {
          const events: StreamEvent[] = [];
          for (let event = await next(); event; event = await next()) events.push(event);
          return events;
        },
        text: () => chunks.join(''),
        abort: () => sent.destroy(),
      });
    });
  });
}
