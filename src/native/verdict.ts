import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import type { ProviderFault } from './provider-fault.ts';

/** How a run ended where its stream does not say. */
export interface End {
  readonly outcome: 'failed' | 'limit';
  readonly reason: string;
}

/** What an adapter concludes of a stream that told nothing of an end. */
const UNTOLD = 'stream_ended_early';

/** The last events of an adapter, with a better reason where it knows none. */
export function endedBy(events: readonly RunnerEvent[], { outcome, reason }: End): RunnerEvent[] {
  return events.map((event) =>
    event.kind === 'runtime_terminal' && event.data.reason === UNTOLD
      ? { ...event, data: { ...event.data, outcome, reason } }
      : event,
  );
}

/** What the terminal event says of the answer that ended the run. */
export function blame({ message, errorType, status, requestId }: ProviderFault): JsonObject {
  return {
    errors: [message],
    errorType,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
  };
}

/** Why a follower leaves a run before its stream has ended. */
export type LeavingReason =
  /** Somebody ended the run. */
  | 'run_ended'
  /** Another process follows it now. */
  | 'lost'
  /** The server stops. */
  | 'closing'
  /** It was followed for as long as the configuration allows. */
  | 'deadline';

/** The reason of a signal that only this room aborts. */
export function leavingReason(signal: AbortSignal): LeavingReason {
  return signal.reason as LeavingReason;
}

/** How a run ends that was followed for as long as the configuration allows. */
export const OUT_OF_TIME: End = { outcome: 'limit', reason: 'max_duration_exceeded' };
