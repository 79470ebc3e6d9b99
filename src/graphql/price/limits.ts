/** Limits of a document, checked before validation. Variables, which should hold batches, do not count. */
export const DOCUMENT_LIMITS = {
  bytes: 1024 * 1024,
  tokens: 20_000,
  /** Nesting of brackets. Leaves room for a literal batch whose data is as deep as the contract allows. */
  nesting: 600,
  /** UTF-16 units in a name: of a field, alias, argument, variable, fragment or operation. */
  nameLength: 128,
  /** Fields and fragments in the source text, not expanded: validation compares fields in pairs. */
  writtenFields: 500,
  /** Fields with one response name in a set: validation compares them and their subfields in pairs. */
  sameNames: 32,
  /** Fields of one operation, with fragments expanded. */
  fields: 1_000,
  /** Nesting levels of fields, with fragments expanded. */
  depth: 20,
  /** Fields of one operation that read a list, a page of a log, or a terminal event. */
  reads: 32,
  /** `logs` fields of one operation. */
  logs: 4,
} as const;

/** Limits of a document with a subscription, which stays in memory as long as it has subscribers. */
export const SUBSCRIPTION_LIMITS = {
  bytes: 16 * 1024,
  tokens: 1_000,
  /** Fields of one subscription, with fragments expanded: every event repeats their names. */
  fields: 100,
  /** Selections of `data`: each one repeats the complete data of every event. */
  data: 16,
} as const;

/**
 * The maximum cost of one operation. The unit is the cost of writing one short field, 1.5 to 2 µs: an
 * operation at the limit takes 15 to 40 ms in total. Enough for 100 runs with all their fields and jobs, or
 * with their last ten events, and for 1,000 events of one run.
 */
export const OPERATION_COST = 24_000;

/** The maximum cost of one event of a subscription. Enough for the longest batch with all its fields. */
export const SUBSCRIPTION_COST = 15_000;

/**
 * Bytes of events that one answer may read, over all its pages, and bytes that the answer may write: more
 * than the largest event, and more than four of the largest pages. An answer is serialized in one step, at 3
 * to 5 ms per MiB.
 */
export const RESPONSE_BYTES = 20 * 1024 * 1024;

/** Parsing or serializing this many bytes of an answer takes as long as writing one short field. */
export const BYTES_PER_COST = 256;

/** Operations up to this cost run immediately, in about 0.2 ms; others wait for an event-loop turn. */
export const CHEAP_COST = 100;

/** Requests of at most this many bytes are copied in the same turn in which they are read. */
export const COPIED_AT_ONCE_BYTES = 256 * 1024;

/** The cost of the operations in one turn of the event loop, unless a single one costs more. */
export const TURN_COST = 10_000;

/** The maximum number of operations and reads that wait for a turn of the event loop, over all clients. */
export const MAX_WAITING_FOR_TURN = 5_000;

/** The same for one connection: the widgets of a dashboard send a few dozen requests at once. */
export const MAX_WAITING_PER_CONNECTION = 256;

/**
 * The maximum bytes of a read before any event's size is known. Larger reads follow once their size is known,
 * reserved and paid for.
 */
export const FIRST_READ_BYTES = 256 * 1024;

/** The maximum bytes of events in one read, unless a single event is larger: 5 to 10 ms. */
export const NEXT_READ_BYTES = 1024 * 1024;

/**
 * The maximum number of reads that wait until other answers release their bytes, over all clients. Each client
 * may have one more.
 */
export const MAX_WAITING_READS = 1_000;

/** The maximum time that such a read waits, in milliseconds. */
export const READ_WAIT_MS = 30_000;

/** Characters of a string in variables, outside of batches and JSON: more than any argument accepts. */
export const VARIABLE_TEXT_LENGTH = 4_096;

/**
 * Characters of variables that an operation uses again, each use after the first counted in full. The densest take 20 ms
 * to read, check and copy.
 */
export const VARIABLE_REUSE_LENGTH = 256 * 1024;

/** Items of a list in variables. A list of enum values may have as many items as the enum has values. */
export const VARIABLE_LIST_ITEMS = 100;

/** The maximum and the default length of a page of runs or jobs. */
export const MAX_RUNS_A_PAGE = 100;
export const RUNS_A_PAGE = 20;

/** The maximum and the default length of a page of a log. */
export const MAX_EVENTS_A_PAGE = 1_000;
export const EVENTS_A_PAGE = 100;

/** The cost of reading a page of a log, in fields: 50 to 100 µs on SQLite. */
export const PAGE_COST = 50;
/** The cost of reading the logs of a job, in fields. */
export const LOGS_COST = 2_500;
