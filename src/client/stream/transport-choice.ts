import type { Connect } from './feed.ts';
import { overSse } from './sse.ts';
import { overWebsocket } from './websocket.ts';
import { hasWebSocket } from './websocket-class.ts';

/** The transport of a stream. `auto` is a websocket, or server-sent events where websockets are blocked. */
export type StreamTransport = 'auto' | 'websocket' | 'sse';

/** After this many failures to open in a row, websockets may be blocked or the server down: SSE is tried. */
const TRIES = 3;

/** Chooses the transport of each connection. */
export interface TransportChoice {
  /** The transport to try next. */
  next(): Connect;
  /** Call after each connection. `opened`: whether the server answered at all. */
  tried(opened: boolean): void;
}

/** With `auto`, SSE is kept for as long as it can be opened; if it fails too, websockets are tried again. */
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
