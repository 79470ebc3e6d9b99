import type { ProviderRuntimeJobStatus } from '../contract/jobs.ts';
import type { JobState } from '../store/jobs.ts';

/** Which status may follow which. Only forward; forward may skip. */
export const TRANSITIONS: Readonly<Record<ProviderRuntimeJobStatus, readonly ProviderRuntimeJobStatus[]>> = {
  queued: ['provisioning', 'running', 'stopping', 'terminated', 'failed'],
  provisioning: ['running', 'stopping', 'terminated', 'failed'],
  running: ['stopping', 'terminated', 'failed'],
  stopping: ['terminated', 'failed'],
  terminated: [],
  failed: [],
};

/** Whether a job of this status has reached its end. */
export function isFinal(status: ProviderRuntimeJobStatus): boolean {
  return TRANSITIONS[status].length === 0;
}

/** Whether the status may follow the other one. */
export function mayFollow(from: ProviderRuntimeJobStatus, to: ProviderRuntimeJobStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

/**
 * The state with another status, and the times that go with it; the state as it is where that would be a step back, as
 * a look that lags behind asks for.
 */
export function moved<State extends JobState>(
  state: State,
  status: ProviderRuntimeJobStatus,
  now: number,
): State {
  if (!mayFollow(state.status, status)) return state;
  return {
    ...state,
    status,
    statusMs: 0,
    lookedAt: now,
    provisionedAt: status === 'provisioning' ? now : state.provisionedAt,
    startedAt: status === 'running' ? (state.startedAt ?? now) : state.startedAt,
    endedAt: isFinal(status) ? now : state.endedAt,
  };
}
