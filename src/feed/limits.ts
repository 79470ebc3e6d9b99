/** How the feed trades memory, reads and delay. */
export interface FeedLimits {
  /** Newest events kept in memory for each followed run. */
  readonly ringEvents: number;
  /** Bytes of memory of one run's, and of all runs'. */
  readonly ringBytes: number;
  readonly ringsBytes: number;
  /** Events that filters pass over in one turn of the loop, over all readers. */
  readonly passedPerTurn: number;
  /** How much one read of the store brings; one event may be bigger. */
  readonly pageEvents: number;
  readonly pageBytes: number;
  /** Bytes of memory that reads of the store bring in one turn of the loop, over all readers; one may bring more. */
  readonly readBytesPerTurn: number;
  /** Bytes of memory of pages kept for all who read the same history, over all runs. */
  readonly cachedPageBytes: number;
  /** How often the heads of followed runs are read in case a wake-up was lost. */
  readonly pollMs: number;
  /** Ended runs whose heads are kept for those that come when nobody follows them. */
  readonly rememberedEnds: number;
  /** How long a reader waits for a store that is down. */
  readonly patienceMs: number;
}

export const FEED_LIMITS: FeedLimits = {
  ringEvents: 1_024,
  // As much as one event of the largest size takes where its text has two bytes a character.
  ringBytes: 8 * 1024 * 1024,
  ringsBytes: 64 * 1024 * 1024,
  passedPerTurn: 64 * 1024,
  pageEvents: 1_024,
  pageBytes: 1024 * 1024,
  readBytesPerTurn: 2 * 1024 * 1024,
  cachedPageBytes: 44 * 1024 * 1024,
  pollMs: 1_000,
  rememberedEnds: 10_000,
  patienceMs: 30_000,
};
