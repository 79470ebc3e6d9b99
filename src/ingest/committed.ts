import { channel } from 'node:diagnostics_channel';
import type { Append } from '../store/store.ts';

/** The name of the channel on which this process says what it has just made durable: see {@link Committed}. */
export const COMMITTED_CHANNEL = 'runfeed:committed';

/** One commit. */
export interface Committed {
  /** When the store said that it is durable, in Unix milliseconds and fractions of one. */
  readonly at: number;
  readonly appends: readonly { readonly run: number; readonly lastSeq: number }[];
}

const committed = channel(COMMITTED_CHANNEL);

/** For whoever measures from inside the process; costs nothing while nobody does. */
export function tellCommitted(appends: readonly Append[]): void {
  if (!committed.hasSubscribers) return;
  const message: Committed = {
    at: performance.timeOrigin + performance.now(),
    appends: appends.map(({ run, head }) => ({ run, lastSeq: head.lastSeq })),
  };
  committed.publish(message);
}
