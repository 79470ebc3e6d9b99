import type { Tally } from './proven-run.ts';

/** Prints a summary of a proof if a proof size was requested. */
export function tell(what: string, tallies: readonly Tally[]): void {
  if (process.env.RUNFEED_PROOF_SIZE === undefined) return;
  const sum = (pick: (tally: Tally) => number) => tallies.reduce((total, tally) => total + pick(tally), 0);
  console.info(
    `${what}: ${sum(({ events }) => events)} events, ${sum(({ retries }) => retries)} retries, ` +
      `${sum(({ reconnects }) => reconnects)} reconnects`,
  );
}
