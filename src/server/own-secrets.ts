import type { Config } from '../config/env.ts';
import type { SecretKeys } from './open-runners.ts';

/** Returns the server's own secrets as texts, to be redacted from everything that people can read. */
export function ownSecrets(config: Config, keys: SecretKeys, adminToken: string | null): readonly string[] {
  const { databaseUrl, redisUrl, native, runners } = config;
  const providers = Object.values(runners?.providers ?? {});
  return [
    ...(adminToken === null ? [] : [adminToken]),
    ...keys.flatMap((key) => {
      const bytes = Buffer.from(key);
      return [
        bytes.toString('base64').replace(/=+$/, ''),
        bytes.toString('base64url'),
        bytes.toString('hex'),
      ];
    }),
    ...passwordOf(databaseUrl),
    ...passwordOf(redisUrl),
    ...(native ? [native.apiKey] : []),
    ...providers.map(({ key }) => key),
    ...(runners?.substrateSecrets ?? []),
  ];
}

/** Returns a URL's password, as written and decoded. */
function passwordOf(url: string | null): string[] {
  if (url === null || !URL.canParse(url)) return [];
  const { password } = new URL(url);
  try {
    return password ? [password, decodeURIComponent(password)] : [];
  } catch {
    return [password];
  }
}
