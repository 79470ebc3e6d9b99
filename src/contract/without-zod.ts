/** What `runfeed/contract` publishes, but for the zod schema: `@runfeed/client/contract`, which depends on nothing. */

// The codes that the API answers with
export {
  CLOSE_CODES,
  type CloseReason,
  FAULT_CODES,
  type FaultCode,
  OUTCOME_CODES,
  type OutcomeCode,
} from './errors.ts';
// What events are
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
// What jobs are
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
// What makes a batch legal
export type {
  RunnerEventBatchValidation,
  RunnerEventBatchValidationCode,
} from './validate.ts';
export {
  RUNNER_EVENT_BATCH_VALIDATION_CODES,
  validateRunnerEventBatch,
} from './validate.ts';
