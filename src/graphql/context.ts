import type { Principal } from '../auth/principal.ts';
import type { Feed } from '../feed/feed.ts';
import type { Weigh } from '../feed/portion.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { NativeInbox } from '../native/inbox.ts';
import type { RunKeys } from '../store/run-keys.ts';
import type { Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import type { AnswerBudget } from './answer-budget.ts';
import type { RunUpdates } from './run-updates.ts';

/** What the schema works with, whoever asks. */
export interface Services {
  readonly store: Store;
  readonly runKeys: RunKeys;
  readonly ingest: Ingest;
  readonly feed: Feed;
  readonly wakeups: WakeupPlane;
  readonly jobs: Jobs;
  readonly native: NativeInbox;
  readonly runUpdates: RunUpdates;
  /** This package's version, as `server.version` tells it. */
  readonly version: string;
}

/** What every resolver gets. */
export interface Context extends Services {
  readonly principal: Principal;
  /** What the caller is connected by, where a limit holds for each connection; absent: one request, one connection. */
  readonly connection?: object;
  /** Who shares turns of the event loop, and readings, with itself alone. */
  readonly owner: object;
  /** What this answer may still read and write. */
  readonly budget: AnswerBudget;
  /** Bytes of an event as this operation writes it. */
  readonly weigh: Weigh;
}

/** What an operation is asked with: who asks, and what it works with. */
export type AskedContext = Omit<Context, 'budget' | 'owner' | 'weigh'>;
