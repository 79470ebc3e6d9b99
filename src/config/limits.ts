/** A request body or a websocket frame has at most so many bytes. */
export const REQUEST_MAX_BYTES = 16 * 1024 * 1024;
