/**
 * How much the proofs do. The default, 0.4, is a short look for every `npm test`; 1 takes seconds to a minute each, and
 * larger ones grow in proportion. RUNFEED_PROOF_SIZE sets it.
 */
export const PROOF_SIZE = Number(process.env.RUNFEED_PROOF_SIZE) || 0.4;

/** This many repetitions at size 1, at least one at any size. */
export function atSize(count: number): number {
  return Math.max(1, Math.ceil(count * PROOF_SIZE));
}

/** How many events many processes write at least. RUNFEED_PROOF_EVENTS sets it. */
export const PROOF_EVENTS = Math.max(1, Number(process.env.RUNFEED_PROOF_EVENTS) || atSize(10_000));

/** How many jobs live on each substrate while their server is killed. RUNFEED_PROOF_JOBS sets it. */
export const PROOF_JOBS = Math.max(1, Number(process.env.RUNFEED_PROOF_JOBS) || atSize(8));

/** What a proof may take: three minutes at sizes up to 1, in proportion above. It takes ten times as long on a busy machine. */
export const PROOF_TIMEOUT_MS = 180_000 * Math.max(1, PROOF_SIZE) + 2 * PROOF_EVENTS;

/** What the jobs' proof may take: a server's start for every other job, and leases of killed ones that have to pass. */
export const PROOF_JOBS_TIMEOUT_MS = 120_000 + 6_000 * PROOF_JOBS;
