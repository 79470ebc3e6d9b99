/** How the feed trades off memory, reads and delay. */
export interface FeedLimits {
  /** The newest events kept in memory for each followed run. */
  readonly ringEvents: number;
  /** Bytes of memory for the ring of one run, and for all rings together. */
  readonly ringBytes: number;
  readonly ringsBytes: number;
  /** Events that filters check in one turn of the event loop, over all readers. */
  readonly passedPerTurn: number;
  /** The size of one read of the store. A single event may exceed `pageBytes`. */
  readonly pageEvents: number;
  readonly pageBytes: number;
  /** Bytes of memory that reads fill in one turn of the event loop, in total. One read may exceed it. */
  readonly readBytesPerTurn: number;
  /** Bytes of memory for cached pages of history, over all runs. */
  readonly cachedPageBytes: number;
  /** How often the heads of followed runs are read in case a wake-up was lost. */
  readonly pollMs: number;
  /** Ended runs whose heads are kept for readers that come after the last one has left. */
  readonly rememberedEnds: number;
  /** How long a reader waits for a store that is down. */
  readonly patienceMs: number;
}

export const FEED_LIMITS: FeedLimits = {
  ringEvents: 1_024,
  // As much as an event of the largest size takes at two bytes per character.
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
