import { z } from 'zod';
import { isLoopback } from '../lib/loopback.ts';
import { readRegularFile } from '../lib/regular-file.ts';
import { echoed } from '../lib/text/echo.ts';
import { DEFAULT_DATABASE_URL, defaultAdminTokenFile } from './data-folder.ts';
import { type JobsUser, readJobsUser } from './jobs-user.ts';
import { type RunnersConfig, readRunners } from './runners.ts';
import { withSecretsFromFiles } from './secret-files.ts';

/** A server's configuration. */
export interface Config {
  /** 0 selects a free port. */
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string;
  /** The Redis through which processes wake each other. Null: they do so through the database. */
  readonly redisUrl: string | null;
  /**
   * The public address if it differs from where the server listens: scheme, host and port, without a path.
   */
  readonly publicUrl: URL | null;
  /** The file with the operator's token, created if it is missing. Null: this server needs none. */
  readonly adminTokenFile: string | null;
  /** How many days an ended run keeps its history. Null: forever. */
  readonly retentionDays: number | null;
  /** The most events per run. */
  readonly maxRunEvents: number;
  /** The most UTF-8 bytes in the `data` of a run's events, in total. */
  readonly maxRunBytes: number;
  /** Keys for encryption and signatures, newest first. Null: a key in a file next to the SQLite file. */
  readonly secretKeys: readonly [Uint8Array, ...Uint8Array[]] | null;
  /** The runners for jobs. Null: the built-in demo runner. */
  readonly runners: RunnersConfig | null;
  /** The folder of the `process` substrate's jobs. Null: `jobs` next to the SQLite file, or in `./data`. */
  readonly jobsFolder: string | null;
  /** The user that runs the commands of jobs. Null: the server's own user. */
  readonly jobsUser: JobsUser | null;
  /** The original environment. Job processes inherit from it only what a program needs. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The provider whose streams the server follows. Null: it follows none. */
  readonly native: NativeConfig | null;
  /** What to do with machines and processes that runfeed created and no job owns. */
  readonly orphanSweep: (typeof ORPHAN_SWEEPS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

/** How to follow a provider's streams. Durations are in milliseconds. */
export interface NativeConfig {
  /** The base URL, with a trailing slash. */
  readonly baseUrl: URL;
  readonly apiKey: string;
  /** Beta features to request with every call. */
  readonly betas: readonly string[];
  /** A stream that is silent for longer than this, without even a ping, counts as broken. */
  readonly idleMs: number;
  /** The longest time to follow a run. Then the run is ended. */
  readonly maxDurationMs: number;
  /** How long to retry while the provider is overloaded or unreachable. */
  readonly patienceMs: number;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Remove orphans, only log them, or do not look for them. */
const ORPHAN_SWEEPS = ['remove', 'dry-run', 'off'] as const;

/** A century. A larger number is more likely a typing error. */
const MAX_RETENTION_DAYS = 36_500;

/** The most bytes of a runners file. */
const MAX_RUNNERS_BYTES = 1024 * 1024;

const DAY_MS = 86_400_000;
/** Node's own client waits for at most five minutes. */
const MAX_IDLE_MS = 290_000;

const wholeNumber = (byDefault: number, most: number, unit = '') =>
  z
    .string()
    .default(String(byDefault))
    .refine(
      (text) => /^[1-9]\d{0,15}$/.test(text) && Number(text) <= most,
      `must be a whole number${unit} from 1 to ${most}`,
    )
    .transform(Number);

const variables = z.object({
  PORT: z
    .string()
    .default('4000')
    .refine(
      (port) => /^\d{1,5}$/.test(port) && Number(port) <= 65_535,
      'must be a port: a whole number from 0 to 65535',
    )
    .transform(Number),
  HOST: z
    .string()
    .default('127.0.0.1')
    .refine(
      (host) => !host.startsWith('[') && isLoopback(host),
      'must be a loopback address (127.0.0.1, ::1 or localhost): there is no access control yet, so anyone who can reach another address could read and write every run',
    ),
  DATABASE_URL: z
    .string()
    .default(DEFAULT_DATABASE_URL)
    .refine(
      (url) => /^file:./.test(url) || (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)),
      'must be file:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE',
    ),
  REDIS_URL: z
    .string()
    .optional()
    .refine(
      (url) => !url || (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)),
      'must be redis://USER:PASSWORD@HOST:PORT, or rediss:// for TLS',
    ),
  PUBLIC_URL: z
    .string()
    .optional()
    .refine((url) => !url || isOrigin(url), 'must be http:// or https:// with a host and no path')
    .transform((url) => (url ? new URL(url) : null)),
  RETENTION_DAYS: z
    .string()
    .optional()
    .refine(
      (days) => !days || (/^[1-9]\d{0,4}$/.test(days) && Number(days) <= MAX_RETENTION_DAYS),
      `must be a whole number of days from 1 to ${MAX_RETENTION_DAYS}; leave it unset to keep everything`,
    )
    .transform((days) => (days ? Number(days) : null)),
  MAX_RUN_EVENTS: wholeNumber(10_000_000, Number.MAX_SAFE_INTEGER),
  MAX_RUN_BYTES: wholeNumber(16 * 1024 ** 3, Number.MAX_SAFE_INTEGER),
  SECRET_KEYS: z
    .string()
    .optional()
    .refine(
      (keys) => !keys || keys.split(',').every((key) => /^[A-Za-z0-9+/_-]{43}=?$/.test(key.trim())),
      'must be keys of 32 bytes in base64, separated by commas, the newest first: openssl rand -base64 32 generates one',
    )
    .transform((keys) => (keys ? keys.split(',').map((key) => Buffer.from(key.trim(), 'base64')) : null)),
  ADMIN_TOKEN_FILE: z.string().optional(),
  RUNNERS_FILE: z.string().optional(),
  JOBS_USER: z.string().optional(),
  JOBS_FOLDER: z.string().optional(),
  ANTHROPIC_API_KEY: z
    .string()
    .optional()
    // The characters that a header can carry.
    .refine((key) => !key || /^[\x21-\x7e]+$/.test(key), 'must be printable ASCII without spaces'),
  ANTHROPIC_BASE_URL: z
    .string()
    .default('https://api.anthropic.com')
    .refine(isBase, 'must be http:// or https:// with a host, and no user, query or fragment'),
  ANTHROPIC_BETA: z
    .string()
    .default('')
    .refine(
      (betas) => /^[\w.-]*(\s*,\s*[\w.-]+)*$/.test(betas),
      'must be names of beta features, separated by commas',
    ),
  NATIVE_IDLE_MS: wholeNumber(120_000, MAX_IDLE_MS, ' of milliseconds'),
  NATIVE_MAX_DURATION_MS: wholeNumber(DAY_MS, 7 * DAY_MS, ' of milliseconds'),
  NATIVE_PATIENCE_MS: wholeNumber(600_000, DAY_MS, ' of milliseconds'),
  ORPHAN_SWEEP: z
    .enum(ORPHAN_SWEEPS, { error: `must be one of ${ORPHAN_SWEEPS.join(', ')}` })
    .default('remove'),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
});

const environment = variables
  .refine(({ DATABASE_URL, REDIS_URL }) => !REDIS_URL || !DATABASE_URL.startsWith('file:'), {
    path: ['REDIS_URL'],
    message: 'requires a Postgres DATABASE_URL: on SQLite there is only one process and no other to wake',
  })
  .refine(
    ({ DATABASE_URL, RUNNERS_FILE, SECRET_KEYS }) =>
      DATABASE_URL.startsWith('file:') || !RUNNERS_FILE || SECRET_KEYS,
    {
      path: ['SECRET_KEYS'],
      message: 'is required for runners on Postgres: every process must encrypt and sign with the same keys',
    },
  )
  .refine(
    ({ DATABASE_URL, ANTHROPIC_API_KEY, SECRET_KEYS }) =>
      DATABASE_URL.startsWith('file:') || !ANTHROPIC_API_KEY || SECRET_KEYS,
    {
      path: ['SECRET_KEYS'],
      message:
        'is required with ANTHROPIC_API_KEY on Postgres: every process must recognize repeated requests',
    },
  );

/**
 * Reads a server's configuration from an environment (by default this process's), from the files that
 * RUNNERS_FILE and the `…_FILE` variables of secrets name, and from /etc/passwd for JOBS_USER. An empty
 * variable counts as absent. Each problem is returned as one line that names the variable and never repeats
 * its value, which may contain a password, except a file's path, which is prepared by `echoed`.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
):
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const secrets = withSecretsFromFiles(env);
  if (secrets.problems.length > 0) return { ok: false, problems: secrets.problems };
  const given = Object.fromEntries(Object.entries(secrets.env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    // One line per variable: the first rule that its value breaks.
    const problems = new Map<string, string>();
    for (const { path, message } of parsed.error.issues) {
      const name = path.join('.');
      if (!problems.has(name)) problems.set(name, `${name} ${message}`);
    }
    return { ok: false, problems: [...problems.values()] };
  }
  const { PORT, HOST, DATABASE_URL, REDIS_URL, PUBLIC_URL, RETENTION_DAYS, LOG_LEVEL } = parsed.data;
  const { SECRET_KEYS, RUNNERS_FILE, JOBS_FOLDER, JOBS_USER, ADMIN_TOKEN_FILE, ORPHAN_SWEEP } = parsed.data;
  const runners = RUNNERS_FILE ? readRunnersFile(RUNNERS_FILE, env, PUBLIC_URL !== null) : null;
  if (runners && !runners.ok) return runners;
  const jobsUser = JOBS_USER ? readJobsUser(JOBS_USER) : null;
  if (jobsUser && !jobsUser.ok) return { ok: false, problems: [jobsUser.problem] };
  return {
    ok: true,
    config: {
      port: PORT,
      host: HOST,
      databaseUrl: DATABASE_URL,
      redisUrl: REDIS_URL || null,
      publicUrl: PUBLIC_URL,
      adminTokenFile: ADMIN_TOKEN_FILE ?? adminTokenFileOf(DATABASE_URL, PUBLIC_URL),
      retentionDays: RETENTION_DAYS,
      maxRunEvents: parsed.data.MAX_RUN_EVENTS,
      maxRunBytes: parsed.data.MAX_RUN_BYTES,
      secretKeys: SECRET_KEYS as Config['secretKeys'],
      runners: runners?.config ?? null,
      jobsFolder: JOBS_FOLDER ?? null,
      jobsUser: jobsUser?.user ?? null,
      environment: env,
      native: nativeConfigOf(parsed.data),
      orphanSweep: ORPHAN_SWEEP,
      logLevel: LOG_LEVEL,
    },
  };
}

/**
 * Returns the default admin token file, next to the SQLite file. With Postgres the server keeps nothing else
 * on its own disk, so there a file is created only if it is needed: when requests without a token have no
 * rights.
 */
function adminTokenFileOf(databaseUrl: string, publicUrl: URL | null): string | null {
  const isNeeded = databaseUrl.startsWith('file:') || publicUrl !== null;
  return isNeeded ? defaultAdminTokenFile(databaseUrl) : null;
}

function nativeConfigOf(read: z.infer<typeof variables>): NativeConfig | null {
  if (!read.ANTHROPIC_API_KEY) return null;
  return {
    baseUrl: new URL(`${read.ANTHROPIC_BASE_URL.replace(/\/+$/, '')}/`),
    apiKey: read.ANTHROPIC_API_KEY,
    betas: read.ANTHROPIC_BETA.split(',').flatMap((beta) => beta.trim() || []),
    idleMs: read.NATIVE_IDLE_MS,
    maxDurationMs: read.NATIVE_MAX_DURATION_MS,
    patienceMs: read.NATIVE_PATIENCE_MS,
  };
}

function readRunnersFile(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  isReachable: boolean,
): ReturnType<typeof readRunners> {
  const file = readRegularFile(path, MAX_RUNNERS_BYTES);
  if (!file.ok) {
    return { ok: false, problems: [`RUNNERS_FILE names ${echoed(path)}, which ${file.problem}`] };
  }
  const read = readRunners(file.text, env);
  if (!read.ok) return { ok: false, problems: read.problems.map((problem) => `RUNNERS_FILE: ${problem}`) };
  const remote = read.config.runners.find(({ substrate }) => substrate !== 'process');
  if (remote && !isReachable) {
    const problem = `PUBLIC_URL is required for runner ${remote.name}: it runs on other machines and must reach this server`;
    return { ok: false, problems: [problem] };
  }
  return read;
}

function isOrigin(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, pathname, search, hash, username } = new URL(url);
  return /^https?:$/.test(protocol) && pathname === '/' && !search && !hash && !username;
}

function isBase(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, search, hash, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && !search && !hash && !username && !password;
}
