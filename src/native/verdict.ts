import type { JsonObject, RunnerEvent } from '../contract/events.ts';
import type { ProviderFault } from './provider/fault.ts';

/** How a run ended if its stream does not say so. */
export interface End {
  readonly outcome: 'failed' | 'limit';
  readonly reason: string;
}

/** The reason that an adapter gives for a stream without an end. */
const UNTOLD = 'stream_ended_early';

/** Returns an adapter's last events, with this outcome and reason if the stream had no end. */
export function endedBy(events: readonly RunnerEvent[], { outcome, reason }: End): RunnerEvent[] {
  return events.map((event) =>
    event.kind === 'runtime_terminal' && event.data.reason === UNTOLD
      ? { ...event, data: { ...event.data, outcome, reason } }
      : event,
  );
}

/** Returns the fields of a terminal event that describe the fault that ended the run. */
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
  /** The run was ended by a caller. */
  | 'run_ended'
  /** Another process follows the run now. */
  | 'lost'
  /** The server is stopping. */
  | 'closing'
  /** The run was followed for as long as the configuration allows. */
  | 'deadline';

/** Returns the reason of an aborted signal. Only this room aborts these signals. */
export function leavingReason(signal: AbortSignal): LeavingReason {
  return signal.reason as LeavingReason;
}

/** The end of a run that was followed for as long as the configuration allows. */
export const OUT_OF_TIME: End = { outcome: 'limit', reason: 'max_duration_exceeded' };
