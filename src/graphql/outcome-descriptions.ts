import type { OutcomeCode } from '../contract/errors.ts';

/** What each outcome means to whoever gets it. */
export const OUTCOME_DESCRIPTIONS: Record<OutcomeCode, string> = {
  invalid_envelope: 'The batch is not an object.',
  version_mismatch: 'The batch’s `v` is not the contract’s version, 1.',
  missing_run_id: 'The batch’s `runId` is not a non-empty string.',
  empty_batch: 'The batch’s `events` is not a non-empty array.',
  batch_too_large: 'The batch has more than 256 events: cut it up.',
  invalid_event: 'An event’s `seq`, `tMs`, `kind` or `data` is not what it must be.',
  seq_not_monotonic: 'An event’s number is not above the one before it, in the batch or in the log.',
  t_ms_not_monotonic: 'An event’s time is below that of the one before it, in the batch or in the log.',
  unknown_run: 'There is no such run here: create it first.',
  seq_conflict: 'An event of this number is stored already, with other content.',
  run_terminated: 'The run has ended and takes nothing more.',
  seq_gap:
    'Something between the log and this batch is missing: `expectedSeq` is the last number that arrived.',
  run_conflict: 'A run of this id is there already, with another provider, runtime or input.',
  claim_refused:
    'The run’s job belongs to another instance, is to stop, or is over; or these events are not from its claimer, or from the server that follows the run’s provider.',
  unknown_job: 'The run has no job.',
  job_conflict: 'The run has a job already, of another spec: nothing of it was changed.',
  native_run_has_no_job:
    'The provider runs this agent itself. For anthropic, `runtime: managed` asks for a job.',
  native_not_configured: 'The server has no key of the provider’s, so it can follow none of its streams.',
  runner_runtime_not_implemented: 'No runner is configured here for this provider, or none of this name.',
  events_removed: 'Retention removed what lies after this cursor: the message says from where one can go on.',
};
