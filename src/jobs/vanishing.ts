import type { JobRecord } from '../store/jobs.ts';

/** Fewer than this say nothing about the substrate. */
const AT_LEAST = 5;
const SHARE = 0.5;
/** Jobs that were not looked at for so long are of no account. */
const FORGET_MS = 60_000;

/**
 * Watches how many of a substrate's jobs cannot be found. When more than half of them seem to have gone at once, it is
 * likelier that the substrate's look-up is broken than that they are.
 */
export function createVanishingGuard(): (job: JobRecord, missing: boolean) => boolean {
  const looks = new Map<
    number,
    { readonly substrate: string; readonly missing: boolean; readonly at: number }
  >();
  /** By substrate, until when it is not to be believed: what vanished together comes back one by one. */
  const doubtful = new Map<string, number>();
  return (job, missing) => {
    const now = performance.now();
    looks.delete(job.run);
    looks.set(job.run, { substrate: job.substrate, missing, at: now });
    // The oldest stand first.
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
