import { randomBytes } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readKeyFile } from '../auth/key-file.ts';
import { databaseFile, dataFolder } from '../config/data-folder.ts';
import type { Config } from '../config/env.ts';
import type { RunnersConfig } from '../config/runners.ts';
import { RUN_PROVIDERS } from '../contract/jobs.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { openSubstrates } from '../substrates/open.ts';
import type { JobsOwner } from '../substrates/setup.ts';
import type { JobLog } from '../substrates/substrate.ts';

/** The server's secret keys, newest first. */
export type SecretKeys = NonNullable<Config['secretKeys']>;

const HOUR_MS = 3_600_000;
const NO_KEYS =
  'SECRET_KEYS is required for jobs on Postgres: set the same keys for every process (openssl rand -base64 32 generates one)';

/**
 * Returns the keys for encryption and signatures: the configured ones, or a key in a file next to the SQLite
 * file. On Postgres without configured keys there are no jobs, so a random key is used that nothing depends
 * on.
 */
export function readSecretKeys({ secretKeys, databaseUrl }: Config): SecretKeys {
  if (secretKeys) return secretKeys;
  const isEmbedded = databaseUrl.startsWith('file:');
  return [isEmbedded ? readKeyFile(`${databaseFile(databaseUrl)}-key`) : randomBytes(32)];
}

/** The runners of a server and their substrates. */
export interface OpenedRunners {
  readonly config: RunnersConfig;
  /** Why jobs cannot be started. Null if they can. */
  readonly noRunners: string | null;
  readonly substrates: Awaited<ReturnType<typeof openSubstrates>>;
}

/**
 * Opens the configured runners, or the built-in demo runner. `owner` identifies the database on the
 * substrates.
 */
export async function openRunners(config: Config, owner: JobsOwner, log: JobLog): Promise<OpenedRunners> {
  const runners = config.runners ?? runnersOutOfTheBox(config);
  const noRunners = hasKeys(config) ? null : NO_KEYS;
  if (noRunners !== null) log.warn({}, noRunners);
  const { environment, jobsUser } = config;
  const data = dataFolder(config.databaseUrl);
  const folder = config.jobsFolder ?? join(data, 'jobs');
  // The files in this folder stay closed to the jobs' users by their own modes.
  if (jobsUser && config.jobsFolder === null) letPass(data);
  if (!jobsUser && config.runners?.runners.some(({ substrate }) => substrate === 'process')) {
    log.warn({}, RUN_AS_SERVER);
  }
  const substrates = await openSubstrates(runners, { environment, folder, owner, jobsUser, log });
  return { config: runners, noRunners, substrates };
}

const RUN_AS_SERVER =
  'jobs run as the server’s user and can read its environment, key file and database, and other jobs: set JOBS_USER to run them as another user';

/** Lets other users traverse a folder without listing its contents. */
function letPass(folder: string): void {
  makeFolder(folder, 0o711);
  const { mode } = statSync(folder);
  if ((mode & 0o001) === 0) chmodSync(folder, (mode & 0o777) | 0o011);
}

/** Returns true if all processes on the database encrypt and sign with the same keys. */
function hasKeys({ secretKeys, databaseUrl }: Config): boolean {
  return secretKeys !== null || databaseUrl.startsWith('file:');
}

/**
 * Returns the built-in runner, which plays a short transcript. There is none on Postgres without keys, since
 * the processes would not share keys.
 */
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

/**
 * Returns the path of the running command. In tests, where this file is TypeScript, it is that of the built
 * command.
 */
function builtCommand(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/cli/main.js' : '../cli/main.js';
  return fileURLToPath(new URL(built, import.meta.url));
}
