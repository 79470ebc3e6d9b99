import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

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
  try {
    const text = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '');
    if (text) return { ok: true, value: text };
    return { ok: false, problem: `${name}_FILE names ${path}, which is empty` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
    return { ok: false, problem: `${name}_FILE names ${path}, which cannot be read (${code})` };
  }
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
