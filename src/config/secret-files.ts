import { readRegularFile } from '../lib/regular-file.ts';
import { echoed } from '../lib/text/echo.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The most bytes of a secret in a file: as many as Linux allows in one environment variable. */
const MAX_SECRET_BYTES = 128 * 1024;

/** A variable's value, or a problem whose message names the variable and repeats no value. */
export type SecretRead =
  | { readonly ok: true; readonly value: string | undefined }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads the value of variable NAME, or else the contents of the file that NAME_FILE names, without trailing
 * line ends. A secret in a file is not in the environment, which every process of the same user can read.
 */
export function readSecretVariable(env: Environment, name: string): SecretRead {
  const value = env[name] || undefined;
  const path = env[`${name}_FILE`];
  if (!path) return { ok: true, value };
  if (value) return { ok: false, problem: `${name} and ${name}_FILE are both set: keep one of them` };
  const read = readRegularFile(path, MAX_SECRET_BYTES);
  const text = read.ok ? withoutLineEnds(read.text) : '';
  if (text) return { ok: true, value: text };
  const problem = read.ok ? 'is empty' : read.problem;
  return { ok: false, problem: `${name}_FILE names ${echoed(path)}, which ${problem}` };
}

/** A regular expression would scan a long series of line ends again from each of them. */
function withoutLineEnds(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r')) end -= 1;
  return text.slice(0, end);
}

/** The server's own variables that may come from files. */
const FROM_FILES = ['SECRET_KEYS', 'ANTHROPIC_API_KEY', 'DATABASE_URL', 'REDIS_URL'] as const;

/**
 * Returns the environment with secrets filled in from files, and one line for each secret that cannot be
 * read.
 */
export function withSecretsFromFiles(env: Environment): {
  readonly env: Environment;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const found: Record<string, string | undefined> = {};
  for (const name of FROM_FILES) {
    const read = readSecretVariable(env, name);
    if (read.ok) found[name] = read.value;
    else problems.push(read.problem);
  }
  return { env: { ...env, ...found }, problems };
}
