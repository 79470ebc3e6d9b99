import type { JobRecord } from '../../store/jobs.ts';

/** Fewer missing jobs than this say nothing about the substrate. */
const AT_LEAST = 5;
const SHARE = 0.5;
/** Look-ups older than this do not count. */
const FORGET_MS = 60_000;

/**
 * Creates a guard that watches how many of a substrate's jobs cannot be found. If more than half of them seem
 * to vanish at once, a broken look-up is likelier than so many lost jobs, and the guard returns true.
 */
export function createVanishingGuard(): (job: JobRecord, missing: boolean) => boolean {
  const looks = new Map<
    number,
    { readonly substrate: string; readonly missing: boolean; readonly at: number }
  >();
  /** Until when each substrate is not to be believed: jobs that vanished together come back one by one. */
  const doubtful = new Map<string, number>();
  return (job, missing) => {
    const now = performance.now();
    looks.delete(job.run);
    looks.set(job.run, { substrate: job.substrate, missing, at: now });
    // The oldest come first.
    for (const [run, { at }] of looks) {
      if (at > now - FORGET_MS) break;
      looks.delete(run);
    }
    if (!missing) return false;
    const ofSubstrate = [...looks.values()].filter(({ substrate }) => substrate === job.substrate);
    const gone = ofSubstrate.filter((look) => look.missing).length;
    if (gone >= AT_LEAST && gone > ofSubstrate.length * SHARE) doubtful.set(job.substrate, now + FORGET_MS);
    return now < (doubtful.get(job.substrate) ?? 0);
  };
}
