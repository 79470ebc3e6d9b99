import { request } from 'node:http';
import { releaseAfterwards } from './releases.ts';

/** One event of a text/event-stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** An event stream, read raw as `curl -N` reads it. */
export interface EventStream {
  readonly status: number;
  readonly contentType: string;
  /** The next event; null once the connection has ended, however it did. */
  next(): Promise<StreamEvent | null>;
  /** Every event from here to the end of the connection. */
  rest(): Promise<StreamEvent[]>;
  /** Everything that has come so far, comments too. */
  text(): string;
  abort(): void;
}

/** Posts an operation and reads what streams back. */
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
      // What was read is not looked through again: a stream of megabytes comes in thousands of chunks.
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
