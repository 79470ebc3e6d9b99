import type { Principal } from '../auth/principal.ts';
import type { Feed } from '../feed/feed.ts';
import type { Weigh } from '../feed/portion.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { NativeInbox } from '../native/inbox.ts';
import type { RunKeys } from '../store/run-keys.ts';
import type { Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import type { AnswerBudget } from './price/answer-budget.ts';
import type { RunUpdates } from './runs/updates.ts';

/** The services that resolvers use, the same for every caller. */
export interface Services {
  readonly store: Store;
  readonly runKeys: RunKeys;
  readonly ingest: Ingest;
  readonly feed: Feed;
  readonly wakeups: WakeupPlane;
  readonly jobs: Jobs;
  readonly native: NativeInbox;
  readonly runUpdates: RunUpdates;
  /** The version of this package, returned as `server.version`. */
  readonly version: string;
}

/** The context of every resolver. */
export interface Context extends Services {
  readonly principal: Principal;
  /** The caller's connection, for limits per connection. Absent: each request counts as a connection. */
  readonly connection?: object;
  /** The client, such as a socket, with its own place in the queues for event-loop turns and reads. */
  readonly owner: object;
  /** The bytes that this answer may still read and write. */
  readonly budget: AnswerBudget;
  /** Returns the size of an event as this operation writes it, in bytes. */
  readonly weigh: Weigh;
}

/** The part of the context that exists before an operation has a budget: the caller and the services. */
export type AskedContext = Omit<Context, 'budget' | 'owner' | 'weigh'>;
