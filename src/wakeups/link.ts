/** A broadcast connection between processes. Every message reaches all of them, including its sender. */
export interface Link {
  /** Resolves once the messages are sent, else rejects. Each message is ASCII of at most 7,900 bytes. */
  send(messages: readonly string[]): Promise<void>;
  /** Closes the connection within a second. A `send` in progress may reject. */
  close(): Promise<void>;
}

/** The callbacks of a link. They must not throw. */
export interface LinkEvents {
  message(text: string): void;
  /** The connection broke. May be called more than once. */
  broke(error: Error): void;
}

/**
 * Opens a link. Resolves once the link is subscribed, so that every later message arrives. Rejects within
 * seconds, and at once if the signal aborts.
 */
export type OpenLink = (events: LinkEvents, signal: AbortSignal) => Promise<Link>;

/** The timeout for connecting and for each answer. */
export const LINK_TIMEOUT_MS = 5_000;
/** How long a connection may be silent before TCP keep-alive probes the other side. */
export const LINK_KEEPALIVE_MS = 10_000;
/** How long a graceful close may take before the connection is cut. */
export const LINK_GOODBYE_MS = 500;
