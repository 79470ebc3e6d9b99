/** The most bytes of a request body or a websocket message. */
export const REQUEST_MAX_BYTES = 16 * 1024 * 1024;

/**
 * The highest weight of a request body or a websocket message: its bytes, plus a charge for what its text
 * becomes when it is read (see {@link WEIGHT}). About 100 ms of work, measured as parsing, copying and
 * writing again.
 */
export const REQUEST_MAX_WEIGHT = 24 * 1024 * 1024;

/**
 * The weight of JSON beyond its bytes, in bytes of plain text that take equally long. Measured on Node 20:
 * text 4 ns per byte, a value 0.2–0.4 µs, an object or array 0.6 µs, a key 0.2 µs, and 3 µs for the first
 * occurrence of a key in the text.
 */
export const WEIGHT = { value: 64, container: 144, key: 64, newKey: 640 } as const;

/** The most bytes of a request that opens a subscription. It stays in memory until the subscription ends. */
export const SUBSCRIPTION_REQUEST_MAX_BYTES = 32 * 1024;

/**
 * The highest weight of a request that opens a subscription (see {@link WEIGHT}): 32 KiB of empty lists take
 * 300 KB once they are parsed. Together with the rest of a connection it must stay below the memory assumed
 * per connection.
 */
export const SUBSCRIPTION_REQUEST_MAX_WEIGHT = 44 * 1024;

/** The most characters of an answer as JSON. */
export const RESPONSE_MAX_LENGTH = 64 * 1024 * 1024;
