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
      let all = '';
      let taken = 0;
      let ended = false;
      let changed = () => {};
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        all += chunk;
        changed();
      });
      response.on('error', () => {});
      response.once('close', () => {
        ended = true;
        changed();
      });
      const next = async (): Promise<StreamEvent | null> => {
        for (;;) {
          const end = all.indexOf('\n\n', taken);
          if (end < 0 && ended) return null;
          if (end < 0) {
            await new Promise<void>((wake) => {
              changed = wake;
            });
            continue;
          }
          const block = all.slice(taken, end);
          taken = end + 2;
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
        text: () => all,
        abort: () => sent.destroy(),
      });
    });
  });
}
