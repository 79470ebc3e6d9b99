/** A request body or a websocket frame has at most so many bytes. */
export const REQUEST_MAX_BYTES = 16 * 1024 * 1024;

/** One answer holds at most so many bytes of events, over all the pages that it asks for. */
export const RESPONSE_EVENT_BYTES = 32 * 1024 * 1024;
