/** How far two clocks may drift apart between two readings before it counts as a step, in milliseconds. */
const TOLERANCE_MS = 1_000;
/** The most steps that are remembered. Older ones lose only their correction. */
const MAX_STRETCHES = 100;

/**
 * Measures how much time really passed between two readings of the database's clock, which can be set and
 * keeps running while the machine is suspended. It is compared with the monotonic clock, which cannot be set
 * and does not run then.
 */
export interface EvenClock {
  /**
   * Records a reading of the database's clock that was requested at `askedAt`, on `performance.now()`.
   * Returns by how many milliseconds the clock was set since the last reading, or 0 if it was not.
   */
  note(now: number, askedAt: number): number;
  /**
   * Returns the milliseconds that passed between two readings, without the steps in between. For the time
   * before this process first recorded a reading, the clock itself is trusted.
   */
  elapsed(since: number, now: number): number;
  /** Returns for how many milliseconds the clock has run since its first reading or its last step. */
  evenMs(): number;
  /** Returns by how many milliseconds the clock was set forward within the last `withinMs` milliseconds. */
  leaptMs(withinMs: number): number;
}

/** A period in which the clock was not set. */
interface Stretch {
  /** The first reading of the period. */
  readonly from: number;
  /** How far the clock is ahead of the monotonic one, in milliseconds. */
  offset: number;
  /** By how much the clock was set at the start of the period, and when. */
  readonly leapMs: number;
  readonly at: number;
}

/** Creates a clock without readings. `monotonic` is replaced only in tests. */
export function createEvenClock(monotonic: () => number = () => performance.now()): EvenClock {
  const stretches: Stretch[] = [];

  function momentOf(reading: number): number {
    // A reading slightly before the first one of a stretch belongs to that stretch, because the step before
    // it was larger.
    const stretch = stretches.findLast(({ from }) => from - TOLERANCE_MS <= reading) ?? stretches[0];
    return reading - (stretch?.offset ?? 0);
  }

  return {
    note: (now, askedAt) => {
      const at = monotonic();
      // The reading was taken at some moment in between.
      const [least, most] = [now - at, now - askedAt];
      const current = stretches.at(-1);
      if (current && current.offset >= least - TOLERANCE_MS && current.offset <= most + TOLERANCE_MS) {
        // Follows a clock that is slowed down or sped up slightly.
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
    evenMs: () => {
      const at = monotonic();
      return at - (stretches.at(-1)?.at ?? at);
    },
    leaptMs: (withinMs) => {
      const after = monotonic() - withinMs;
      return stretches
        .filter(({ at, leapMs }) => at >= after && leapMs > 0)
        .reduce((sum, { leapMs }) => sum + leapMs, 0);
    },
  };
}
