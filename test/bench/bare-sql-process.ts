import type { BareSqlOrder } from './bare-sql.ts';
import { ask, startPartner } from './child.ts';
import { makeScratchDatabase } from './scratch-database.ts';

/** A process that only stores. */
export interface BareSql {
  /** Resolves to events per second. */
  round(order: BareSqlOrder): Promise<number>;
  close(): Promise<void>;
}

/** Starts the process on an empty SQLite file. */
export async function startBareSql(): Promise<BareSql> {
  const database = await makeScratchDatabase(undefined);
  const child = startPartner('bare-sql.ts', { DATABASE_URL: database.url });
  await ask(child, null);
  return {
    round: async (order) => (await ask(child, order)) as number,
    close: async () => {
      await child.stop();
      await database.drop();
    },
  };
}
