import type { FaultCode } from '../../contract/errors.ts';
import { FEED_LIMITS } from '../../feed/limits.ts';
import { withPatience } from '../../feed/patience.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import { StoreUnavailable } from '../../store/store.ts';

const STORE_UNAVAILABLE: FaultCode = 'STORE_UNAVAILABLE';

/**
 * Starts a subscription. If the store is down, waits for it as long as a running subscription does, because
 * an error would end the subscription for good. Then throws `StoreUnavailable`. When the signal aborts, the
 * wait ends and its reason is thrown.
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
        throw new StoreUnavailable('cannot start a subscription');
      }
      return started;
    },
    FEED_LIMITS.patienceMs,
    signal,
  );
}
