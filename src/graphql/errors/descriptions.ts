import type { OutcomeCode } from '../../contract/errors.ts';

/** The schema's description of each outcome code, for the caller. */
export const OUTCOME_DESCRIPTIONS: Record<OutcomeCode, string> = {
  invalid_envelope: 'The batch must be an object.',
  version_mismatch: '`v` must be 1, the version of the contract.',
  missing_run_id: '`runId` must be a non-empty string.',
  empty_batch: '`events` must be an array with at least one event.',
  batch_too_large: 'The batch has more than 256 events. Split it.',
  invalid_event: 'An event has an invalid `seq`, `tMs`, `kind` or `data`.',
  seq_not_monotonic:
    'An event’s `seq` is not higher than that of the event before it, in the batch or in the log.',
  t_ms_not_monotonic:
    'An event’s `tMs` is lower than that of the event before it, in the batch or in the log.',
  unknown_run: 'The run does not exist. Create it first.',
  seq_conflict: 'An event with this `seq` is already stored with different content.',
  run_terminated: 'The run has ended and accepts no more events.',
  seq_gap:
    'Events between the end of the log and this batch are missing. `expectedSeq` is the `seq` of ' +
    'the last stored event.',
  run_conflict: 'A run with this id already exists with a different provider, runtime or input.',
  claim_refused:
    'The sender does not own the run’s job: another instance claimed it, it is stopping or has ' +
    'ended, or the server itself writes this run.',
  unknown_job: 'The run has no job.',
  job_conflict: 'The run already has a job with different settings. The job was not changed.',
  native_run_has_no_job:
    'The provider runs this agent itself. For anthropic, pass `runtime: managed` to start a job.',
  native_not_configured: 'The server has no API key for the provider and cannot follow its streams.',
  runner_runtime_not_implemented: 'The server has no runner for this provider, or none with this name.',
  events_removed:
    'Retention removed the events after this cursor. The message names the cursor to continue from.',
};
