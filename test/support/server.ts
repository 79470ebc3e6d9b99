import { pino } from 'pino';
import { type Config, readConfig } from '../../src/config/env.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/server.ts';
import { freshSqliteUrl } from './databases.ts';

/** A server in the test's own process. */
export interface TestServer extends RunningServer {
  readonly graphql: string;
  readonly config: Config;
  /** The messages that the server has logged, in order. Empty unless the environment sets LOG_LEVEL. */
  readonly logged: readonly string[];
}

/**
 * Starts a complete server on a free loopback port, by default on a new SQLite file. The test must close it.
 */
export async function startTestServer(
  env: Readonly<Record<string, string>> = {},
  options: ServerOptions = {},
): Promise<TestServer> {
  const databaseUrl = env.DATABASE_URL ?? (await freshSqliteUrl());
  const read = readConfig({ PORT: '0', LOG_LEVEL: 'silent', ...env, DATABASE_URL: databaseUrl });
  if (!read.ok) throw new Error(read.problems.join('; '));
  const logged: string[] = [];
  const log = pino(
    { level: read.config.logLevel },
    { write: (line: string) => logged.push(String(JSON.parse(line).msg)) },
  );
  const server = await startServer(read.config, log, options);
  return { ...server, graphql: `${server.url}/graphql`, config: read.config, logged };
}
