/** How long the proofs are: 1, the default, is seconds; each further one adds as much again. RUNFEED_PROOF_SIZE sets it. */
export const PROOF_SIZE = Math.max(1, Number(process.env.RUNFEED_PROOF_SIZE) || 1);

/** How many events many processes write at least. RUNFEED_PROOF_EVENTS sets it. */
export const PROOF_EVENTS = Math.max(1, Number(process.env.RUNFEED_PROOF_EVENTS) || 10_000 * PROOF_SIZE);

/** How many jobs live on each substrate while their server is killed. RUNFEED_PROOF_JOBS sets it. */
export const PROOF_JOBS = Math.max(1, Number(process.env.RUNFEED_PROOF_JOBS) || 8 * PROOF_SIZE);

/** What a proof of usual size may take, times its size; a thousand events take seconds at the very most. */
export const PROOF_TIMEOUT_MS = 60_000 * PROOF_SIZE + 2 * PROOF_EVENTS;

/** What the jobs' proof may take: a server's start for every other job, and leases of killed ones that have to pass. */
export const PROOF_JOBS_TIMEOUT_MS = 120_000 + 6_000 * PROOF_JOBS;
