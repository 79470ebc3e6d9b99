import { randomBytes } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readKeyFile } from '../auth/key-file.ts';
import { databaseFile, dataFolder } from '../config/data-folder.ts';
import type { Config } from '../config/env.ts';
import type { RunnersConfig } from '../config/runners.ts';
import { RUN_PROVIDERS } from '../contract/jobs.ts';
import { openSubstrates } from '../jobs/open-substrates.ts';
import type { JobLog } from '../jobs/reconciler.ts';
import { makeFolder } from '../lib/make-folder.ts';

/** Newest first. */
export type SecretKeys = NonNullable<Config['secretKeys']>;

const HOUR_MS = 3_600_000;
const NO_KEYS =
  'SECRET_KEYS is needed for jobs on Postgres: set the same keys for every process (openssl rand -base64 32 makes one)';

/**
 * What is sealed and signed with: the configured keys, else a key in a file next to the SQLite file. On Postgres without
 * keys there are no jobs, and so nothing to seal or sign.
 */
export function readSecretKeys({ secretKeys, databaseUrl }: Config): SecretKeys {
  if (secretKeys) return secretKeys;
  const isEmbedded = databaseUrl.startsWith('file:');
  return [isEmbedded ? readKeyFile(`${databaseFile(databaseUrl)}-key`) : randomBytes(32)];
}

/** The runners of a server, and their substrates. */
export interface OpenedRunners {
  readonly config: RunnersConfig;
  /** Why there are none; null where nothing is missing for them. */
  readonly noRunners: string | null;
  readonly substrates: Awaited<ReturnType<typeof openSubstrates>>;
}

/** Opens what is configured, or what is there out of the box. */
export async function openRunners(config: Config, owner: string, log: JobLog): Promise<OpenedRunners> {
  const runners = config.runners ?? runnersOutOfTheBox(config);
  const noRunners = hasKeys(config) ? null : NO_KEYS;
  if (noRunners !== null) log.warn({}, noRunners);
  const { environment, jobsUser } = config;
  const data = dataFolder(config.databaseUrl);
  const folder = config.jobsFolder ?? join(data, 'jobs');
  // What is in it stays closed to them, file by file.
  if (jobsUser && config.jobsFolder === null) letPass(data);
  if (!jobsUser && config.runners?.runners.some(({ substrate }) => substrate === 'process')) {
    log.warn({}, RUN_AS_SERVER);
  }
  const substrates = await openSubstrates(runners, { environment, folder, owner, jobsUser, log });
  return { config: runners, noRunners, substrates };
}

const RUN_AS_SERVER =
  'jobs run as the same user as the server: each can read the server’s environment, key file and database, and other jobs; JOBS_USER makes them run as another';

/** Lets other users pass through a folder, without seeing what it holds. */
function letPass(folder: string): void {
  makeFolder(folder, 0o711);
  const { mode } = statSync(folder);
  if ((mode & 0o001) === 0) chmodSync(folder, (mode & 0o777) | 0o011);
}

/** Whether all processes on the database seal and sign with the same keys. */
function hasKeys({ secretKeys, databaseUrl }: Config): boolean {
  return secretKeys !== null || databaseUrl.startsWith('file:');
}

/** One runner that plays a short transcript. Without keys that other processes have too there is none. */
function runnersOutOfTheBox(config: Config): RunnersConfig {
  const demo = {
    name: 'demo',
    substrate: 'process',
    providers: RUN_PROVIDERS,
    image: null,
    command: [process.execPath, builtCommand(), 'demo-runner'],
    env: {},
    secrets: {},
    regions: ['local'],
    resources: null,
    maxRunDurationMs: HOUR_MS,
  } as const;
  return {
    runners: hasKeys(config) ? [demo] : [],
    providers: {},
    mcpBase: null,
    substrates: {},
    substrateSecrets: [],
  };
}

/** The command that is running here; under the tests, where this file is TypeScript still, the built one. */
function builtCommand(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/cli/main.js' : '../cli/main.js';
  return fileURLToPath(new URL(built, import.meta.url));
}
