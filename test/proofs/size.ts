/**
 * How much the proofs do, from RUNFEED_PROOF_SIZE. The default, 0.4, is a quick check for every `npm test`.
 * At 1 each takes seconds to a minute, and larger sizes grow in proportion.
 */
export const PROOF_SIZE = Number(process.env.RUNFEED_PROOF_SIZE) || 0.4;

/** Returns the repetitions at the proof size: this many at size 1, and at least one. */
export function atSize(count: number): number {
  return Math.max(1, Math.ceil(count * PROOF_SIZE));
}

/** The least number of events that many processes write, from RUNFEED_PROOF_EVENTS. */
export const PROOF_EVENTS = Math.max(1, Number(process.env.RUNFEED_PROOF_EVENTS) || atSize(10_000));

/** How many jobs run on each substrate while their server is killed, from RUNFEED_PROOF_JOBS. */
export const PROOF_JOBS = Math.max(1, Number(process.env.RUNFEED_PROOF_JOBS) || atSize(8));

/**
 * The timeout of a proof: three minutes at sizes up to 1, in proportion above. It takes ten times as long on
 * a busy machine.
 */
export const PROOF_TIMEOUT_MS = 180_000 * Math.max(1, PROOF_SIZE) + 2 * PROOF_EVENTS;

/**
 * The timeout of the jobs' proof: a server start for every other job, and leases of killed servers that must
 * expire.
 */
export const PROOF_JOBS_TIMEOUT_MS = 120_000 + 6_000 * PROOF_JOBS;
