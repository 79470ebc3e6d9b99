import { channel } from 'node:diagnostics_channel';
import type { Append } from '../store/store.ts';

/** The diagnostics channel on which this process publishes each commit as a {@link Committed}. */
export const COMMITTED_CHANNEL = 'runfeed:committed';

/** One durable commit: the runs it appended to, and the last `seq` of each. */
export interface Committed {
  /** The time at which the store confirmed the commit, in Unix milliseconds with fractions. */
  readonly at: number;
  readonly appends: readonly { readonly run: number; readonly lastSeq: number }[];
}

const committed = channel(COMMITTED_CHANNEL);

/** Publishes a commit for measurements inside the process. Without subscribers the call is free. */
export function tellCommitted(appends: readonly Append[]): void {
  if (!committed.hasSubscribers) return;
  const message: Committed = {
    at: performance.timeOrigin + performance.now(),
    appends: appends.map(({ run, head }) => ({ run, lastSeq: head.lastSeq })),
  };
  committed.publish(message);
}
