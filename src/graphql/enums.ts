import { OUTCOME_CODES } from '../contract/errors.ts';
import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../contract/events.ts';
import {
  PROVIDER_RUNTIME_JOB_STATUSES,
  PROVIDER_RUNTIME_KINDS,
  type ProviderRuntimeJobStatus,
  type ProviderRuntimeKind,
  RUN_PROVIDERS,
  RUN_RUNTIMES,
  type RunProvider,
  type RunRuntime,
} from '../contract/jobs.ts';
import { builder } from './builder.ts';
import { OUTCOME_DESCRIPTIONS } from './errors/descriptions.ts';

const KIND_DESCRIPTIONS: Record<RunnerEventKind, string> = {
  runtime_started:
    'The runtime is ready: its machine has started, or the provider has accepted the first turn.',
  assistant_text: 'A piece of the model’s text. All pieces in order form the whole text.',
  tool_request: 'The model requested a tool or function call.',
  tool_response: 'The result of a tool call was returned to the model.',
  skill_loaded: 'A skill was loaded from the provider or from the workspace.',
  file_uploaded: 'A file became available to the agent.',
  notification: 'Any other output of the runtime, so that nothing is lost.',
  stream_error: 'Something went wrong and the run continues.',
  runtime_terminal: 'The run has ended. Always the last event, exactly once per run.',
};

const PROVIDER_DESCRIPTIONS: Record<RunProvider, string> = {
  anthropic: 'Anthropic.',
  deepseek: 'DeepSeek.',
  openai: 'OpenAI.',
  gemini: 'Google Gemini.',
  mistral: 'Mistral.',
};

const RUNTIME_DESCRIPTIONS: Record<RunRuntime, string> = {
  native: 'The provider runs the agent.',
  managed: 'A runner runs the agent, in a container or process started for the run.',
};

const STATUS_DESCRIPTIONS: Record<ProviderRuntimeJobStatus, string> = {
  queued: 'The job was requested. Nothing is known to exist on the substrate yet.',
  provisioning: 'The substrate is preparing the job. Its main process has not started.',
  running: 'The main process has started.',
  stopping: 'The job was told to stop. Its end is not confirmed yet.',
  terminated: 'The job succeeded or was stopped. Final.',
  failed: 'The job failed. `terminalErrorClass` says why. Final.',
};

const SUBSTRATE_DESCRIPTIONS: Record<ProviderRuntimeKind, string> = {
  fly: 'Fly Machines.',
  process: 'A process on the server’s own machine.',
};

/** Returns the values of an enum as the contract spells them, each with its description. */
function describedValues<Value extends string>(
  values: readonly Value[],
  descriptions: Readonly<Record<Value, string>>,
): Record<Value, { value: Value; description: string }> {
  const entries = values.map((value) => [value, { value, description: descriptions[value] }] as const);
  return Object.fromEntries(entries) as Record<Value, { value: Value; description: string }>;
}

export const RunnerEventKindEnum = builder.enumType('RunnerEventKind', {
  description: 'The kind of an event. New kinds may be added, so programs need a default branch.',
  values: describedValues(RUNNER_EVENT_KINDS, KIND_DESCRIPTIONS),
});

export const RunProviderEnum = builder.enumType('RunProvider', {
  description: 'The provider of a run’s model.',
  values: describedValues(RUN_PROVIDERS, PROVIDER_DESCRIPTIONS),
});

export const RunRuntimeEnum = builder.enumType('RunRuntime', {
  description: 'Where a run’s agent runs.',
  values: describedValues(RUN_RUNTIMES, RUNTIME_DESCRIPTIONS),
});

export const JobStatusEnum = builder.enumType('ProviderRuntimeJobStatus', {
  description: 'The status of a job. It only moves forward and may skip steps.',
  values: describedValues(PROVIDER_RUNTIME_JOB_STATUSES, STATUS_DESCRIPTIONS),
});

export const JobSubstrateEnum = builder.enumType('ProviderRuntimeKind', {
  description:
    'The substrate that a job runs on. New substrates may be added, so programs need a default branch.',
  values: describedValues(PROVIDER_RUNTIME_KINDS, SUBSTRATE_DESCRIPTIONS),
});

export const OutcomeCodeEnum = builder.enumType('OutcomeCode', {
  description: 'Why a request was refused. New codes may be added, so programs need a default branch.',
  values: describedValues(OUTCOME_CODES, OUTCOME_DESCRIPTIONS),
});
