import { OUTCOME_CODES } from '../contract/errors.ts';
import { RUNNER_EVENT_KINDS, type RunnerEventKind } from '../contract/events.ts';
import {
  PROVIDER_RUNTIME_JOB_STATUSES,
  PROVIDER_RUNTIME_KINDS,
  type ProviderRuntimeJobStatus,
  type ProviderRuntimeKind,
  RUN_PROVIDERS,
  type RunProvider,
} from '../contract/jobs.ts';
import { RUN_RUNTIMES, type RunRuntime } from '../store/store.ts';
import { builder } from './builder.ts';
import { OUTCOME_DESCRIPTIONS } from './outcome-descriptions.ts';

const KIND_DESCRIPTIONS: Record<RunnerEventKind, string> = {
  runtime_started: 'The runtime is ready: its machine is up, or the provider took the first turn.',
  assistant_text: 'A piece of the model’s text; the pieces in order are the whole.',
  tool_request: 'The model asked for a tool or function call.',
  tool_response: 'The result of a tool went back to the model.',
  skill_loaded: 'A skill was loaded, from the provider or from the workspace.',
  file_uploaded: 'A file became available to the agent.',
  notification: 'Anything else worth keeping, so that nothing a runtime says is lost.',
  stream_error: 'Something went wrong on the way and the run goes on.',
  runtime_terminal: 'The run reached its end. The last event, exactly once.',
};

const PROVIDER_DESCRIPTIONS: Record<RunProvider, string> = {
  anthropic: 'Anthropic.',
  deepseek: 'DeepSeek.',
  openai: 'OpenAI.',
  gemini: 'Google Gemini.',
  mistral: 'Mistral.',
};

const RUNTIME_DESCRIPTIONS: Record<RunRuntime, string> = {
  native: 'The provider itself runs the agent.',
  managed: 'A runner of ours runs the agent, in a container or process started for the run.',
};

const STATUS_DESCRIPTIONS: Record<ProviderRuntimeJobStatus, string> = {
  queued: 'Wanted; nothing of it is known to exist.',
  provisioning: 'It exists; its main process has not started.',
  running: 'Its main process has started.',
  stopping: 'It was told to stop; its end is not confirmed.',
  terminated: 'It ended well, or because it was stopped. Final.',
  failed: 'It failed; `terminalErrorClass` says why. Final.',
};

const SUBSTRATE_DESCRIPTIONS: Partial<Record<ProviderRuntimeKind, string>> = {
  fly: 'Fly Machines.',
  process: 'A process of the server’s own machine.',
};

/** An enum's values as the wire contract spells them, each with its description. */
function describedValues<Value extends string>(
  values: readonly Value[],
  descriptions: Partial<Record<Value, string>>,
): Record<Value, { value: Value; description: string }> {
  const entries = values.map(
    (value) => [value, { value, description: descriptions[value] ?? value }] as const,
  );
  return Object.fromEntries(entries) as Record<Value, { value: Value; description: string }>;
}

export const RunnerEventKindEnum = builder.enumType('RunnerEventKind', {
  description: 'What an event can be. New kinds may be added: keep a default branch.',
  values: describedValues(RUNNER_EVENT_KINDS, KIND_DESCRIPTIONS),
});

export const RunProviderEnum = builder.enumType('RunProvider', {
  description: 'Whose model a run uses.',
  values: describedValues(RUN_PROVIDERS, PROVIDER_DESCRIPTIONS),
});

export const RunRuntimeEnum = builder.enumType('RunRuntime', {
  description: 'Where a run’s agent runs.',
  values: describedValues(RUN_RUNTIMES, RUNTIME_DESCRIPTIONS),
});

export const JobStatusEnum = builder.enumType('ProviderRuntimeJobStatus', {
  description:
    'How far a job is, from its beginning to its end. It only moves forward; steps may be skipped.',
  values: describedValues(PROVIDER_RUNTIME_JOB_STATUSES, STATUS_DESCRIPTIONS),
});

export const JobSubstrateEnum = builder.enumType('ProviderRuntimeKind', {
  description: 'What a job runs on. New ones may be added: keep a default branch.',
  values: describedValues(PROVIDER_RUNTIME_KINDS, SUBSTRATE_DESCRIPTIONS),
});

export const OutcomeCodeEnum = builder.enumType('OutcomeCode', {
  description: 'Why something was not done. New codes may be added: keep a default branch.',
  values: describedValues(OUTCOME_CODES, OUTCOME_DESCRIPTIONS),
});
