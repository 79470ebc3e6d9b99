import type { ExecutionResult, GraphQLError } from 'graphql';
import { FEED_LIMITS } from '../../feed/limits.ts';
import { withPatience } from '../../feed/patience.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { SharedFeed } from '../feed/shared.ts';

/** The results of a subscription that is executed for its subscriber alone. */
export type Results = AsyncGenerator<ExecutionResult, void, undefined>;

/** A subscription that has started, or the errors with which it is refused. */
export type Subscription =
  /** The payloads, as bytes, are shared with all subscribers of the same selection. */
  | { readonly kind: 'shared'; readonly feed: SharedFeed }
  | { readonly kind: 'results'; readonly results: Results }
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** How a transport subscribes. */
export interface SubscribeOptions {
  /** True if the transport can write shared payloads. */
  readonly takesShared: boolean;
  /** Returns the signal that aborts when the subscriber leaves. Called only if the start has to wait. */
  readonly gone: () => AbortSignal;
}

/**
 * Starts a subscription. While the store is down, tries again as long as a running subscription waits, because
 * an error would end the subscription for good. Then throws `StoreUnavailable`. Throws the signal's reason when
 * the subscriber leaves.
 */
export async function startPatiently(
  start: () => Promise<Subscription>,
  gone: SubscribeOptions['gone'],
): Promise<Subscription> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return withPatience(start, FEED_LIMITS.patienceMs, gone());
  }
}
