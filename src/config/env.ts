import { z } from 'zod';

/** Everything that the environment decides about a server. */
export interface Config {
  /** 0 takes a free port. */
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string;
  /** The Redis by which processes wake each other; without one they do so over the database. */
  readonly redisUrl: string | null;
  /** Where the server is reached, when that is not where it listens: scheme, host and port, without a path. */
  readonly publicUrl: URL | null;
  /** How many days an ended run keeps its history; null: for ever. */
  readonly retentionDays: number | null;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** A century: beyond it a typing error is likelier than a wish. */
const MAX_RETENTION_DAYS = 36_500;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

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
      (host) => LOOPBACK.test(host),
      'must be a loopback address (127.0.0.1, ::1 or localhost): there is no access control yet, so anyone who could reach another address could read and write every run',
    ),
  DATABASE_URL: z
    .string()
    .default('file:./data/runfeed.db')
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
      `must be a whole number of days from 1 to ${MAX_RETENTION_DAYS}; without it nothing is ever removed`,
    )
    .transform((days) => (days ? Number(days) : null)),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
});

const environment = variables.refine(
  ({ DATABASE_URL, REDIS_URL }) => !REDIS_URL || !DATABASE_URL.startsWith('file:'),
  {
    path: ['REDIS_URL'],
    message: 'needs a Postgres DATABASE_URL: on SQLite there is one process and nobody else to wake',
  },
);

/**
 * Reads a server's configuration from an environment, by default this process's. An empty variable counts as absent.
 * What is wrong comes back as one line each, naming the variable; the value itself is never repeated, since it may hold
 * a password.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
):
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    // One line a variable: the first rule that its value breaks.
    const problems = new Map<string, string>();
    for (const { path, message } of parsed.error.issues) {
      const name = path.join('.');
      if (!problems.has(name)) problems.set(name, `${name} ${message}`);
    }
    return { ok: false, problems: [...problems.values()] };
  }
  const { PORT, HOST, DATABASE_URL, REDIS_URL, PUBLIC_URL, RETENTION_DAYS, LOG_LEVEL } = parsed.data;
  return {
    ok: true,
    config: {
      port: PORT,
      host: HOST,
      databaseUrl: DATABASE_URL,
      redisUrl: REDIS_URL || null,
      publicUrl: PUBLIC_URL,
      retentionDays: RETENTION_DAYS,
      logLevel: LOG_LEVEL,
    },
  };
}

function isOrigin(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, pathname, search, hash, username } = new URL(url);
  return /^https?:$/.test(protocol) && pathname === '/' && !search && !hash && !username;
}
