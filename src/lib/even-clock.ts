/** How far two clocks may drift apart between two readings before it counts as a step, in milliseconds. */
const TOLERANCE_MS = 1_000;
/** Steps that are remembered. Of older ones only what their time was worth is forgotten. */
const MAX_STRETCHES = 100;

/**
 * Tells how much time really went by between two readings of the database's clock, which can be set and which goes on
 * while the machine is suspended. It is compared with the monotonic clock, which does neither.
 */
export interface EvenClock {
  /**
   * Notes a reading of the database's clock that was asked for at `askedAt`, by `performance.now()`. Returns by how many
   * milliseconds the clock was set since the last reading; 0: it was not.
   */
  note(now: number, askedAt: number): number;
  /**
   * Milliseconds that went by from one reading until a later one, without what the clock was set by in between. What
   * went by before this process first noted a reading is taken from the clock itself.
   */
  elapsed(since: number, now: number): number;
  /** By how much the clock was set forward within the last `withinMs` milliseconds. */
  leaptMs(withinMs: number): number;
}

/** A stretch of time in which the clock was not set. */
interface Stretch {
  /** The first reading. */
  readonly from: number;
  /** What the clock says more than the monotonic one. */
  offset: number;
  /** By how much it was set before, and when. */
  readonly leapMs: number;
  readonly at: number;
}

/** Creates a clock that has noted nothing. `monotonic` is for tests. */
export function createEvenClock(monotonic: () => number = () => performance.now()): EvenClock {
  const stretches: Stretch[] = [];

  function momentOf(reading: number): number {
    // A reading a little before the first one of a stretch is of that stretch: the step before it was larger.
    const stretch = stretches.findLast(({ from }) => from - TOLERANCE_MS <= reading) ?? stretches[0];
    return reading - (stretch?.offset ?? 0);
  }

  return {
    note: (now, askedAt) => {
      const at = monotonic();
      // The reading was made at some moment in between.
      const [least, most] = [now - at, now - askedAt];
      const current = stretches.at(-1);
      if (current && current.offset >= least - TOLERANCE_MS && current.offset <= most + TOLERANCE_MS) {
        // Follows a clock that is slowed down or sped up a little.
        current.offset = Math.min(Math.max(current.offset, least), most);
        return 0;
      }
      const offset = most;
      const leapMs = current ? offset - current.offset : 0;
      stretches.push({ from: now, offset, leapMs, at });
      if (stretches.length > MAX_STRETCHES) stretches.shift();
      return leapMs;
    },
    elapsed: (since, now) => Math.max(0, momentOf(now) - momentOf(since)),
    leaptMs: (withinMs) => {
      const after = monotonic() - withinMs;
      return stretches
        .filter(({ at, leapMs }) => at >= after && leapMs > 0)
        .reduce((sum, { leapMs }) => sum + leapMs, 0);
    },
  };
}
