/** Limits of a document, checked before it is validated. Batches belong in variables, which these limits do not touch. */
export const DOCUMENT_LIMITS = {
  bytes: 1024 * 1024,
  tokens: 20_000,
  /** Brackets within brackets. Leaves room for a literal batch whose data is as deep as the contract allows. */
  nesting: 600,
  /** UTF-16 units of a name: a field's, alias', argument's, variable's, fragment's or operation's. */
  nameLength: 128,
  /** Fields and fragments as they are written: validation compares fields in pairs. */
  writtenFields: 500,
  /** Fields with one response name in a selection set: validation compares them in pairs, with everything below them. */
  sameNames: 32,
  /** Fields of one operation once its fragments are put in place. */
  fields: 1_000,
  /** Fields within fields, through fragments. */
  depth: 20,
  /** Fields of one operation that read a list, a page of a log or a terminal event. */
  reads: 32,
  /** `logs` of one operation. */
  logs: 4,
} as const;

/** Limits of a document that holds a subscription: it is kept for as long as its subscribers stay. */
export const SUBSCRIPTION_LIMITS = {
  bytes: 16 * 1024,
  tokens: 1_000,
  /** Fields of one subscription once its fragments are put in place: their names come back with every event. */
  fields: 100,
  /** Selections of an event's `data`: each is all of it once more, for every event. */
  data: 16,
} as const;

/**
 * What one operation may cost. The unit is one short field written, which takes 1.5 to 2 µs: an operation at the limit
 * takes 15 to 40 ms in all. Room for 100 runs with all their fields and jobs, or with their last ten events, and for
 * 1,000 events of one run.
 */
export const OPERATION_COST = 24_000;

/** What one event of a subscription may cost, in the same unit. Room for the longest batch with all its fields. */
export const SUBSCRIPTION_COST = 15_000;

/**
 * Bytes of events that one answer may read, over all its pages, and bytes that it may write: more than the largest event
 * and four of the largest pages. An answer is written as text in one go, which takes 3 to 5 ms for a MiB.
 */
export const RESPONSE_BYTES = 20 * 1024 * 1024;

/** Bytes of an answer that take as long to parse, or to write as text, as one short field. */
export const BYTES_PER_COST = 256;

/** Operations below this cost run at once, in about 0.2 ms; others take turns of the event loop. */
export const CHEAP_COST = 100;

/** Requests of fewer bytes are copied in the turn in which they are read. */
export const COPIED_AT_ONCE_BYTES = 256 * 1024;

/** Cost of the operations that run in one turn of the event loop, unless one alone costs more. */
export const TURN_COST = 10_000;

/** Operations and reads that wait for a turn of the event loop, over all clients. */
export const MAX_WAITING_FOR_TURN = 5_000;

/** Of these, the most that one connection has waiting: a dashboard's widgets ask for a few dozen at once. */
export const MAX_WAITING_PER_CONNECTION = 256;

/**
 * A read brings so many bytes at most before the sizes of what follows are known; more is read once its size is known,
 * reserved and paid for.
 */
export const FIRST_READ_BYTES = 256 * 1024;

/** Bytes of events that one read brings at once, unless a single one is larger: 5 to 10 ms. */
export const NEXT_READ_BYTES = 1024 * 1024;

/** Reads that wait until others have given back the bytes that they hold, over all clients. */
export const MAX_WAITING_READS = 1_000;

/** For how many milliseconds such a read waits. */
export const READ_WAIT_MS = 30_000;

/** Characters of a text in variables, outside of batches and JSON objects: more than any argument takes. */
export const VARIABLE_TEXT_LENGTH = 4_096;

/** Items of a list in variables that is no list of enum values. A list of enum values has at most as many as the enum. */
export const VARIABLE_LIST_ITEMS = 100;
