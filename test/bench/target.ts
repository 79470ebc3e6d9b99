import { type Child, listeningUrl, startBuilt, startProgram } from './child.ts';
import { makeScratchDatabase, type ScratchDatabase } from './scratch-database.ts';

/** A GraphQL server in a separate process with an empty database. */
export interface Target {
  readonly contestant: 'ours' | 'stock';
  readonly graphqlUrl: string;
  readonly database: ScratchDatabase;
  close(): Promise<void>;
}

/** Starts the built server or the stock one, on SQLite unless a Postgres server is given. */
export async function startTarget(
  contestant: Target['contestant'],
  postgresUrl: string | undefined,
): Promise<Target> {
  const database = await makeScratchDatabase(postgresUrl);
  const env = { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', DATABASE_URL: database.url };
  let child: Child | undefined;
  try {
    child = contestant === 'ours' ? startBuilt(['serve'], env) : startProgram('stock-server.ts', env);
    const started = child;
    const url = await listeningUrl(started);
    return {
      contestant,
      graphqlUrl: `${url}/graphql`,
      database,
      close: async () => {
        await started.stop();
        await database.drop();
      },
    };
  } catch (error) {
    await child?.stop();
    await database.drop();
    throw error;
  }
}
