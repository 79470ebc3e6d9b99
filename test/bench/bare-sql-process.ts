import { once } from 'node:events';
import type { BareSqlOrder } from './bare-sql.ts';
import { startProgram } from './child.ts';
import { makeScratchDatabase } from './scratch-database.ts';

/** The process that does nothing but store. */
export interface BareSql {
  /** Resolves with events per second. */
  round(order: BareSqlOrder): Promise<number>;
  close(): Promise<void>;
}

/** Starts it on an empty SQLite file. */
export async function startBareSql(): Promise<BareSql> {
  const database = await makeScratchDatabase(undefined);
  const child = startProgram('bare-sql.ts', { DATABASE_URL: database.url }, { channel: true });
  const answer = async (): Promise<unknown> => {
    const stopWaiting = new AbortController();
    const { signal } = stopWaiting;
    const exited = once(child.process, 'exit', { signal }).then(([code]) => {
      throw new Error(`bare-sql.ts ended with ${code}`);
    });
    try {
      const [message] = await Promise.race([once(child.process, 'message', { signal }), exited]);
      return message;
    } finally {
      exited.catch(() => {});
      stopWaiting.abort();
    }
  };
  await answer();
  return {
    round: async (order) => {
      child.process.send(order);
      return (await answer()) as number;
    },
    close: async () => {
      await child.stop();
      await database.drop();
    },
  };
}
