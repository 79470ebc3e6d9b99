/** `runfeed/contract` without the zod schema: `@runfeed/client/contract`, which has no dependencies. */

// The codes that the API returns
export {
  CLOSE_CODES,
  type CloseReason,
  FAULT_CODES,
  type FaultCode,
  OUTCOME_CODES,
  type OutcomeCode,
} from './errors.ts';
// Events
export type {
  JsonObject,
  JsonValue,
  RunnerEvent,
  RunnerEventBatch,
  RunnerEventKind,
} from './events.ts';
export {
  RUNNER_EVENT_BATCH_MAX_EVENTS,
  RUNNER_EVENT_KINDS,
  RUNNER_EVENT_VERSION,
} from './events.ts';
// Jobs
export type {
  ProviderRuntimeJobStatus,
  ProviderRuntimeKind,
  ResourceStats,
  RunnerJobExecutor,
  RunnerJobHandle,
  RunnerJobSpec,
  RunnerJobStatusSnapshot,
  RunProvider,
} from './jobs.ts';
export {
  PROVIDER_RUNTIME_JOB_STATUSES,
  PROVIDER_RUNTIME_KINDS,
  RUN_PROVIDERS,
  RunnerRuntimeNotImplementedError,
} from './jobs.ts';
// The validator for batches
export type {
  RunnerEventBatchValidation,
  RunnerEventBatchValidationCode,
} from './validate.ts';
export {
  RUNNER_EVENT_BATCH_VALIDATION_CODES,
  validateRunnerEventBatch,
} from './validate.ts';
