import { pino } from 'pino';
import { type Config, readConfig } from '../../src/config/env.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { freshSqliteUrl } from './databases.ts';

/** A whole server on a free port of loopback, by default on a fresh SQLite file. Close it in the test. */
export async function startTestServer(
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer & { readonly graphql: string; readonly config: Config }> {
  const databaseUrl = env.DATABASE_URL ?? (await freshSqliteUrl());
  const read = readConfig({ PORT: '0', LOG_LEVEL: 'silent', ...env, DATABASE_URL: databaseUrl });
  if (!read.ok) throw new Error(read.problems.join('; '));
  const server = await startServer(read.config, pino({ level: read.config.logLevel }));
  return { ...server, graphql: `${server.url}/graphql`, config: read.config };
}
