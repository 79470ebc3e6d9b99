import type { ProviderRuntimeJobStatus } from '../../contract/jobs.ts';
import type { JobState } from '../../store/jobs.ts';

/** Which statuses may follow each status. A job only moves forward and may skip steps. */
export const TRANSITIONS: Readonly<Record<ProviderRuntimeJobStatus, readonly ProviderRuntimeJobStatus[]>> = {
  queued: ['provisioning', 'running', 'stopping', 'terminated', 'failed'],
  provisioning: ['running', 'stopping', 'terminated', 'failed'],
  running: ['stopping', 'terminated', 'failed'],
  stopping: ['terminated', 'failed'],
  terminated: [],
  failed: [],
};

/** Returns true if a job of this status has ended. */
export function isFinal(status: ProviderRuntimeJobStatus): boolean {
  return TRANSITIONS[status].length === 0;
}

/** Returns true if `to` may follow `from`. */
export function mayFollow(from: ProviderRuntimeJobStatus, to: ProviderRuntimeJobStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

/**
 * Returns the state with another status and the times that belong to it. Returns the same object if that
 * would be a step back, as a lagging status check may request.
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
