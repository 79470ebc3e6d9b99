/** A request body or a websocket frame has at most so many bytes. */
export const REQUEST_MAX_BYTES = 16 * 1024 * 1024;

/**
 * A request body or a websocket message weighs at most this: its bytes, and a charge for what its text becomes when it
 * is read (see {@link WEIGHT}). About 100 ms of work, measured as parsing, copying and writing again.
 */
export const REQUEST_MAX_WEIGHT = 24 * 1024 * 1024;

/**
 * What JSON weighs beyond its bytes, in bytes of plain text that take equally long. Measured on Node 20: text 4 ns a
 * byte, a value 0.2–0.4 µs, an object or array 0.6 µs, a key 0.2 µs, and 3 µs when the text has not had that key before.
 */
export const WEIGHT = { value: 64, container: 144, key: 64, newKey: 640 } as const;

/** A request that opens a subscription has at most this many bytes: it stays in memory until the subscription ends. */
export const SUBSCRIPTION_REQUEST_MAX_BYTES = 32 * 1024;

/**
 * And it weighs at most this (see {@link WEIGHT}): 32 KiB of empty lists take 300 KB once they are parsed. With the rest of
 * a connection it must be less than what a connection is taken for.
 */
export const SUBSCRIPTION_REQUEST_MAX_WEIGHT = 44 * 1024;

/** A written answer has at most this many characters. */
export const RESPONSE_MAX_LENGTH = 64 * 1024 * 1024;
