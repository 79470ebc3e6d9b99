import type { RunTokens } from '../auth/tokens.ts';
import type { RunnerConfig, RunnersConfig } from '../config/runners.ts';
import type { JsonObject } from '../contract/events.ts';
import { RunnerRuntimeNotImplementedError, type RunProvider } from '../contract/jobs.ts';
import type { JobRecord } from '../store/jobs.ts';
import { SubstrateError } from './errors.ts';
import { type PayloadSafe, textsOf } from './payload.ts';
import { PROVIDER_VARIABLES } from './provider-env.ts';
import type { JobSpec } from './substrate.ts';

type Variables = Readonly<Record<string, string>>;

/** What jobs are made of, as the configuration has it now. */
export interface Specs {
  /**
   * The runner of this name, or the first one for the provider. Throws `RunnerRuntimeNotImplementedError` where there
   * is none.
   */
  choose(provider: RunProvider, name: string | null): RunnerConfig;
  /** What the substrate is to start. `showsEnvironment`: without what nobody may see. */
  specOf(job: JobRecord, showsEnvironment: boolean): Promise<JobSpec>;
  /** What the runner is to do; null: nobody said. Throws a `SubstrateError` when it cannot be opened any more. */
  payloadOf(job: JobRecord): JsonObject | null;
  /** What of the environment nobody else may see. */
  secretsOf(job: JobRecord): Variables;
  /** Everything of this job and of the server that must not be read in what its runner prints. */
  unspeakable(job: JobRecord): readonly string[];
}

/** What specs are made from. */
export interface SpecSources {
  readonly config: RunnersConfig;
  readonly safe: PayloadSafe;
  readonly tokens: RunTokens;
  /** Of the server: no job has them, but one that runs as the server's user could read them. */
  readonly ownSecrets: readonly string[];
  /** Where runners reach this server, without a path. */
  readonly apiBase: () => string;
}

/** A token to claim with outlives the longest wait for a machine. */
const CLAIM_MS = 7 * 24 * 3_600_000;

/** Makes the specs. */
export function createSpecs({ config, safe, tokens, ownSecrets, apiBase }: SpecSources): Specs {
  const find = (name: string) => config.runners.find((runner) => runner.name === name);

  function runnerOf(job: JobRecord): RunnerConfig {
    const runner = find(job.runner);
    if (runner) return runner;
    throw new SubstrateError({
      errorClass: 'config_invalid',
      message: `runner ${job.runner} is not configured any more`,
    });
  }

  function payloadOf(job: JobRecord): JsonObject | null {
    if (job.payload === null) return null;
    try {
      return safe.open(job.payload, job);
    } catch (cause) {
      const message = 'the payload was sealed with a key that is not among SECRET_KEYS any more';
      throw new SubstrateError({ errorClass: 'config_invalid', message }, { cause });
    }
  }

  /** What cannot be opened cannot be told either. */
  function payloadTexts(job: JobRecord): readonly string[] {
    try {
      return textsOf(payloadOf(job) ?? {});
    } catch {
      return [];
    }
  }

  function secretsOf(job: JobRecord): Variables {
    const provider = config.providers[job.provider];
    const key = provider ? { [PROVIDER_VARIABLES[job.provider].key]: provider.key } : {};
    return { ...key, ...find(job.runner)?.secrets };
  }

  async function environmentOf(job: JobRecord, runner: RunnerConfig): Promise<Variables> {
    const provider = config.providers[job.provider];
    const expiresAt = Date.now() + job.maxRunDurationMs + CLAIM_MS;
    const { workspace, runId } = job;
    return {
      ...(provider && { [PROVIDER_VARIABLES[job.provider].baseUrl]: provider.baseUrl }),
      ...runner.env,
      ...(config.mcpBase !== null && hasMcpServers(payloadOf(job)) && { RUNFEED_MCP_BASE: config.mcpBase }),
      RUNFEED_RUN_ID: runId,
      RUNFEED_API_BASE: apiBase(),
      RUNFEED_RUNNER_TOKEN: await tokens.issue({
        kind: 'runner',
        workspace,
        runId,
        right: { may: 'claim' },
        expiresAt,
      }),
    };
  }

  return {
    choose: (provider, name) => {
      const runner = config.runners.find(
        (candidate) => candidate.providers.includes(provider) && (name === null || candidate.name === name),
      );
      if (!runner) throw new RunnerRuntimeNotImplementedError(provider);
      return runner;
    },
    specOf: async (job, showsEnvironment) => {
      const environment = await environmentOf(job, runnerOf(job));
      const secrets = secretsOf(job);
      return {
        runId: job.runId,
        workspaceId: job.workspace,
        provider: job.provider,
        image: job.image,
        env: showsEnvironment ? environment : { ...secrets, ...environment },
        maxRunDurationMs: job.maxRunDurationMs,
        region: job.region,
        ...(job.cpus !== null &&
          job.memoryMb !== null && { resources: { cpus: job.cpus, memoryMb: job.memoryMb } }),
        specHash: job.specHash,
        secrets: [...Object.values(secrets), environment.RUNFEED_RUNNER_TOKEN ?? ''],
      };
    },
    payloadOf,
    secretsOf,
    unspeakable: (job) => [...ownSecrets, ...textsOf({ ...secretsOf(job) }), ...payloadTexts(job)],
  };
}

/** A payload names the MCP servers that its runner is to use under one of these keys. */
function hasMcpServers(payload: JsonObject | null): boolean {
  const servers = payload?.mcpServers ?? payload?.mcp_servers ?? null;
  return typeof servers === 'object' && servers !== null && Object.keys(servers).length > 0;
}
