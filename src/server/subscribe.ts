import type { FaultCode } from '../contract/errors.ts';
import { FEED_LIMITS } from '../feed/limits.ts';
import { withPatience } from '../feed/patience.ts';
import type { OperationRequest } from '../graphql/operation-request.ts';
import type { Operations } from '../graphql/operations.ts';
import { StoreUnavailable } from '../store/store.ts';

const STORE_UNAVAILABLE: FaultCode = 'STORE_UNAVAILABLE';

/**
 * Starts a subscription. One that meets a store that is down waits for it as long as one that is under way does, since
 * an error would end it for good; then `StoreUnavailable` is thrown. The signal ends the wait: its reason is thrown.
 */
export function subscribePatiently(
  operations: Operations,
  request: OperationRequest,
  signal: AbortSignal,
): ReturnType<Operations['subscribe']> {
  return withPatience(
    async () => {
      const started = await operations.subscribe(request);
      const errors = Symbol.asyncIterator in started ? [] : (started.errors ?? []);
      if (errors.some(({ extensions }) => extensions.code === STORE_UNAVAILABLE)) {
        throw new StoreUnavailable('no subscription can start');
      }
      return started;
    },
    FEED_LIMITS.patienceMs,
    signal,
  );
}
