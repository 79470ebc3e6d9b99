import { z } from 'zod';
import {
  PROVIDER_RUNTIME_KINDS,
  type ProviderRuntimeKind,
  RUN_PROVIDERS,
  type RunProvider,
} from '../contract/jobs.ts';
import { echoed } from '../lib/text/echo.ts';
import { readSecretVariable } from './secret-files.ts';

/** A runner that jobs can select by name. */
export interface RunnerConfig {
  readonly name: string;
  readonly substrate: ProviderRuntimeKind;
  /** The providers whose runs this runner can execute. */
  readonly providers: readonly RunProvider[];
  /** The image, pinned by digest. Null for a substrate that runs a command. */
  readonly image: string | null;
  /** The command line. Null for a substrate that runs an image. */
  readonly command: readonly [string, ...string[]] | null;
  /** Public environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Secret environment variables. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The regions in which jobs may run. The first one is the default. */
  readonly regions: readonly [string, ...string[]];
  readonly resources: { readonly cpus: number; readonly memoryMb: number } | null;
  /** The default and upper bound of a job's duration limit, in milliseconds. */
  readonly maxRunDurationMs: number;
}

/** The URL and key with which runners reach a provider's model. */
export interface ProviderConfig {
  readonly baseUrl: string;
  readonly key: string;
}

/** The configuration of runners. */
export interface RunnersConfig {
  readonly runners: readonly RunnerConfig[];
  readonly providers: Readonly<Partial<Record<RunProvider, ProviderConfig>>>;
  /** The base URL of MCP servers. Null if there are none. */
  readonly mcpBase: string | null;
  /** The settings of each substrate. The substrate validates them. */
  readonly substrates: Readonly<Partial<Record<ProviderRuntimeKind, unknown>>>;
  /** Credentials of substrates: the values in `substrates` that came from `$NAME`. */
  readonly substrateSecrets: readonly string[];
}

const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const REFERENCE = /^\$([A-Za-z_][A-Za-z0-9_]*)$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const HOUR_MS = 3_600_000;
const MAX_DURATION_MS = 30 * 24 * HOUR_MS;

const variables = z.record(
  z.string().regex(VARIABLE, 'must be the name of an environment variable'),
  z.string(),
);

const runnerSchema = z
  .strictObject({
    substrate: z.enum(PROVIDER_RUNTIME_KINDS),
    providers: z
      .array(z.enum(RUN_PROVIDERS))
      .min(1)
      .default([...RUN_PROVIDERS]),
    image: z
      .string()
      .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, 'must be pinned by digest: NAME@sha256:…')
      .optional(),
    command: z.tuple([z.string().min(1)], z.string()).optional(),
    env: variables.default({}),
    secrets: variables.default({}),
    regions: z.tuple([z.string().min(1)], z.string().min(1)).default(['local']),
    resources: z
      .strictObject({ cpus: z.number().positive().max(1_024), memoryMb: z.int().positive() })
      .optional(),
    maxRunDurationMs: z.int().min(1_000).max(MAX_DURATION_MS).default(HOUR_MS),
  })
  .refine(({ image, command }) => (image === undefined) !== (command === undefined), {
    message: 'must have either an image or a command',
  });

const fileSchema = z.strictObject({
  runners: z.record(
    z.string().regex(NAME, 'must be a name of lowercase letters, digits, ".", "_" and "-"'),
    runnerSchema,
  ),
  providers: z
    .partialRecord(z.enum(RUN_PROVIDERS), z.strictObject({ baseUrl: z.url(), key: z.string().min(1) }))
    .default({}),
  mcpBase: z.url().optional(),
  substrates: z.partialRecord(z.enum(PROVIDER_RUNTIME_KINDS), z.unknown()).default({}),
});

/**
 * Parses a runners file. A value `$NAME`, anywhere in the file, stands for the environment variable NAME, or
 * for the contents of the file that NAME_FILE names, so that the runners file need not contain secrets. Each
 * problem is returned as one line that repeats no value.
 */
export function readRunners(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
):
  | { readonly ok: true; readonly config: RunnersConfig }
  | { readonly ok: false; readonly problems: readonly string[] } {
  const problems: string[] = [];
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return { ok: false, problems: ['must contain JSON'] };
  }
  const filled = fillIn(file, env, problems);
  const parsed = fileSchema.safeParse(filled);
  if (!parsed.success) {
    problems.push(
      ...parsed.error.issues.map(({ path, message }) =>
        `${echoed(path.join('.'))} ${echoed(message)}`.trim(),
      ),
    );
  }
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const { runners, providers, mcpBase, substrates } = parsed.data;
  return {
    ok: true,
    config: {
      runners: Object.entries(runners).map(([name, { image, command, resources, ...runner }]) => ({
        ...runner,
        name,
        image: image ?? null,
        command: command ?? null,
        resources: resources ?? null,
      })),
      providers: Object.fromEntries(
        Object.entries(providers).filter(([, provider]) => provider !== undefined),
      ),
      mcpBase: mcpBase ?? null,
      substrates,
      substrateSecrets: filledIn(Object(file).substrates, substrates),
    },
  };
}

function fillIn(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): unknown {
  if (typeof value === 'string') {
    const name = REFERENCE.exec(value)?.[1];
    if (name === undefined) return value;
    const read = readSecretVariable(env, name);
    if (!read.ok) problems.push(read.problem);
    else if (!read.value)
      problems.push(`refers to the environment variable ${echoed(name)}, which is not set`);
    return (read.ok && read.value) || '';
  }
  if (Array.isArray(value)) return value.map((item) => fillIn(item, env, problems));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, env, problems)]));
}

/** Returns the texts of a value that were references before they were filled in. */
function filledIn(before: unknown, after: unknown): string[] {
  if (typeof before === 'string' && typeof after === 'string') return REFERENCE.test(before) ? [after] : [];
  if (typeof before !== 'object' || typeof after !== 'object' || !before || !after) return [];
  const values = new Map<string, unknown>(Object.entries(after));
  return Object.entries(before).flatMap(([key, value]) => filledIn(value, values.get(key)));
}
