/** A connection by which processes talk to each other. Whatever one of them sends comes to all, the sender too. */
export interface Link {
  /** Resolves once the messages are on their way, rejects when they are not. Each is ASCII of at most 7,900 bytes. */
  send(messages: readonly string[]): Promise<void>;
  /** Lets go of it, within a second. What is being sent then may be rejected. */
  close(): Promise<void>;
}

/** Hears of a link. Must not throw. */
export interface LinkEvents {
  message(text: string): void;
  /** It broke by itself. May be called more than once. */
  broke(error: Error): void;
}

/**
 * Opens a link. Resolves once it is subscribed: what anybody sends from then on comes. Rejects within seconds, and at
 * once when the signal aborts.
 */
export type OpenLink = (events: LinkEvents, signal: AbortSignal) => Promise<Link>;

/** How long connecting, and each answer while connecting, may take. */
export const LINK_TIMEOUT_MS = 5_000;
/** How long a connection may be silent before the system asks whether the other side is still there. */
export const LINK_KEEPALIVE_MS = 10_000;
/** How long a polite goodbye may take before the connection is cut. */
export const LINK_GOODBYE_MS = 500;
