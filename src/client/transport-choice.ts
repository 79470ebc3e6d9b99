import type { Connect } from './feed.ts';
import { overSse } from './feed-sse.ts';
import { overWebsocket } from './feed-websocket.ts';
import { hasWebSocket } from './websocket-class.ts';

/** How a run is followed: `auto` means over a websocket or, where those are blocked, over server-sent events. */
export type StreamTransport = 'auto' | 'websocket' | 'sse';

/** A websocket that cannot be opened so often in a row may be blocked, or the server may be down: SSE will tell. */
const TRIES = 3;

/** Decides what the next connection is made over. */
export interface TransportChoice {
  next(): Connect;
  /** How the last one went: whether the server answered over it at all. */
  tried(opened: boolean): void;
}

/** With `auto` SSE stays for as long as it can be opened; when it cannot either, websockets are tried again. */
export function chooseTransport(wanted: StreamTransport, webSocketImpl: unknown): TransportChoice {
  const preferred =
    wanted === 'sse' || (wanted === 'auto' && !hasWebSocket(webSocketImpl)) ? overSse : overWebsocket;
  if (wanted !== 'auto' || preferred === overSse) return { next: () => preferred, tried: () => {} };
  let unopened = 0;
  return {
    next: () => (unopened < TRIES ? overWebsocket : overSse),
    tried: (opened) => {
      if (unopened < TRIES) unopened = opened ? 0 : unopened + 1;
      else if (!opened) unopened = 0;
    },
  };
}
