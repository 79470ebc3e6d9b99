/** As much of a WebSocket as is used here; browsers' own and the `ws` package's both have it. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(text: string): void;
  close(code: number): void;
  /** Only the `ws` package has it: away without a handshake. */
  terminate?(): void;
}

/** What makes one. */
export interface WebSocketClass {
  new (url: string, protocol: string): WebSocketLike;
  readonly OPEN: number;
}

/** Whether there is a WebSocket: the one given, or the platform's. */
export function hasWebSocket(given: unknown): boolean {
  return typeof (given ?? platformWebSocket()) === 'function';
}

/** The WebSocket given, or the platform's. Throws a TypeError when there is none. */
export function webSocketClass(given: unknown): WebSocketClass {
  if (hasWebSocket(given)) return (given ?? platformWebSocket()) as WebSocketClass;
  throw new TypeError(
    'there is no WebSocket here: pass one as webSocketImpl, such as that of the ws package, or use transport "sse"',
  );
}

function platformWebSocket(): unknown {
  return (globalThis as { readonly WebSocket?: unknown }).WebSocket;
}
