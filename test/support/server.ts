import { pino } from 'pino';
import { type Config, readConfig } from '../../src/config/env.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { freshSqliteUrl } from './databases.ts';

/** A server in the process of the test. */
export interface TestServer extends RunningServer {
  readonly graphql: string;
  readonly config: Config;
  /** The messages that it has logged, in order: none unless the environment has a LOG_LEVEL. */
  readonly logged: readonly string[];
}

/** A whole server on a free port of loopback, by default on a fresh SQLite file. Close it in the test. */
export async function startTestServer(env: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const databaseUrl = env.DATABASE_URL ?? (await freshSqliteUrl());
  const read = readConfig({ PORT: '0', LOG_LEVEL: 'silent', ...env, DATABASE_URL: databaseUrl });
  if (!read.ok) throw new Error(read.problems.join('; '));
  const logged: string[] = [];
  const log = pino(
    { level: read.config.logLevel },
    { write: (line: string) => logged.push(String(JSON.parse(line).msg)) },
  );
  const server = await startServer(read.config, log);
  return { ...server, graphql: `${server.url}/graphql`, config: read.config, logged };
}
