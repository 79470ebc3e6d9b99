/** The part of a WebSocket that is used here. Both browsers and the `ws` package provide it. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(text: string): void;
  close(code: number): void;
  /** Closes without a handshake. Only the `ws` package has this. */
  terminate?(): void;
}

/** A WebSocket constructor. */
export interface WebSocketClass {
  new (url: string, protocol: string): WebSocketLike;
  readonly OPEN: number;
}

/** Returns true if a WebSocket class was given or the platform has one. */
export function hasWebSocket(given: unknown): boolean {
  return typeof (given ?? platformWebSocket()) === 'function';
}

/** Returns the given WebSocket class, or the platform's. Throws a TypeError if there is none. */
export function webSocketClass(given: unknown): WebSocketClass {
  if (hasWebSocket(given)) return (given ?? platformWebSocket()) as WebSocketClass;
  throw new TypeError(
    'no WebSocket available: pass webSocketImpl, such as that of the ws package, or use transport "sse"',
  );
}

function platformWebSocket(): unknown {
  return (globalThis as { readonly WebSocket?: unknown }).WebSocket;
}
