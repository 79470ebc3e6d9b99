import { LRUCache } from 'lru-cache';
import { type RunTokens, TOKEN_SLACK_MS } from '../../auth/tokens.ts';
import type { RunnerConfig, RunnersConfig } from '../../config/runners.ts';
import type { JsonObject } from '../../contract/events.ts';
import { RunnerRuntimeNotImplementedError, type RunProvider } from '../../contract/jobs.ts';
import { credentialsIn, credentialsInSlices } from '../../lib/secrets/credentials.ts';
import { prepareRedactor, type Redactor } from '../../lib/secrets/redact.ts';
import { createPauses } from '../../lib/waiting/turns.ts';
import type { JobRecord } from '../../store/jobs.ts';
import { SubstrateError } from '../../substrates/errors.ts';
import type { JobSpec } from '../../substrates/substrate.ts';
import type { PayloadSafe } from './payload.ts';
import { PROVIDER_VARIABLES } from './provider-env.ts';

type Variables = Readonly<Record<string, string>>;

/** Builds what jobs need from the present configuration. */
export interface Specs {
  /**
   * Returns the runner of this name, or the first one for the provider. Throws
   * `RunnerRuntimeNotImplementedError` if none exists.
   */
  choose(provider: RunProvider, name: string | null): RunnerConfig;
  /** Returns what the substrate must start. With `showsEnvironment`, configured secrets are left out. */
  specOf(job: JobRecord, showsEnvironment: boolean): Promise<JobSpec>;
  /**
   * Returns the runner's instructions, or null if it has none. Throws a `SubstrateError` if they can no
   * longer be decrypted.
   */
  payloadOf(job: JobRecord): JsonObject | null;
  /** Returns the environment variables that only the runner may see. */
  secretsOf(job: JobRecord): Variables;
  /** Returns a redactor for what this job's runner prints. Recently used redactors are cached. */
  redactorOf(job: JobRecord): Promise<Redactor>;
}

/** What {@link createSpecs} works with. */
export interface SpecSources {
  readonly config: RunnersConfig;
  readonly safe: PayloadSafe;
  readonly tokens: RunTokens;
  /** The server's secrets. No job gets them, but one that runs as the server's user could read them. */
  readonly ownSecrets: readonly string[];
  /** Returns the URL at which runners reach this server, without a path. */
  readonly apiBase: () => string;
}

/** Limits of the redactor cache. A redactor's tables typically take some 50 KB, and at most 8 MB. */
const MAX_REDACTORS = 256;
const MAX_REDACTOR_BYTES = 16 * 1024 * 1024;

/** Creates the specs for one configuration. Its redactors are cached in memory. */
export function createSpecs({ config, safe, tokens, ownSecrets, apiBase }: SpecSources): Specs {
  const redactors = new LRUCache<string, Redactor>({
    max: MAX_REDACTORS,
    maxSize: MAX_REDACTOR_BYTES,
    sizeCalculation: ({ heldBytes }) => heldBytes,
  });
  const pauses = createPauses();
  const find = (name: string) => config.runners.find((runner) => runner.name === name);

  function runnerOf(job: JobRecord): RunnerConfig {
    const runner = find(job.runner);
    if (runner) return runner;
    throw new SubstrateError({
      errorClass: 'config_invalid',
      message: `runner ${job.runner} is no longer configured`,
    });
  }

  function payloadOf(job: JobRecord): JsonObject | null {
    if (job.payload === null) return null;
    try {
      return safe.open(job.payload, job);
    } catch (cause) {
      const message =
        'the payload was encrypted with a key that is no longer in SECRET_KEYS: add that key again';
      throw new SubstrateError({ errorClass: 'config_invalid', message }, { cause });
    }
  }

  /**
   * All secrets of server and job, and what looks like a credential in the payload or the runner's
   * environment.
   */
  async function unspeakable(job: JobRecord): Promise<readonly string[]> {
    const { env = {} } = find(job.runner) ?? {};
    const configured = Object.values(secretsOf(job));
    return [...ownSecrets, ...configured, ...credentialsIn(env), ...(await payloadCredentials(job))];
  }

  /** A payload that cannot be decrypted cannot be printed either. */
  async function payloadCredentials(job: JobRecord): Promise<readonly string[]> {
    let payload: JsonObject | null;
    try {
      payload = payloadOf(job);
    } catch {
      return [];
    }
    return credentialsInSlices(payload, pauses());
  }

  function secretsOf(job: JobRecord): Variables {
    const provider = config.providers[job.provider];
    const key = provider ? { [PROVIDER_VARIABLES[job.provider].key]: provider.key } : {};
    return { ...key, ...find(job.runner)?.secrets };
  }

  async function environmentOf(job: JobRecord, runner: RunnerConfig): Promise<Variables> {
    const provider = config.providers[job.provider];
    const expiresAt = Date.now() + job.maxRunDurationMs + TOKEN_SLACK_MS;
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
    redactorOf: async (job) => {
      const key = `${job.run} ${job.payload === null}`;
      const kept = redactors.get(key) ?? prepareRedactor(await unspeakable(job));
      redactors.set(key, kept);
      return kept;
    },
  };
}

/** Returns true if the payload names MCP servers for its runner, under either of these keys. */
function hasMcpServers(payload: JsonObject | null): boolean {
  const servers = payload?.mcpServers ?? payload?.mcp_servers ?? null;
  return typeof servers === 'object' && servers !== null && Object.keys(servers).length > 0;
}
