import type { RunProvider, RunRuntime } from '../contract/jobs.ts';

/** Returns the default runtime of a provider: `native` for anthropic, `managed` for all others. */
export function defaultRuntime(provider: RunProvider): RunRuntime {
  return provider === 'anthropic' ? 'native' : 'managed';
}
