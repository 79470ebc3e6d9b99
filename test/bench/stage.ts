import { type BareSql, startBareSql } from './bare-sql-process.ts';
import { startTarget, type Target } from './target.ts';

/** The servers that rows share: started when first asked for, so that later rows meet them warm. */
export interface Stage {
  /** A Postgres server to measure on; undefined: SQLite. */
  readonly postgresUrl: string | undefined;
  target(contestant: Target['contestant']): Promise<Target>;
  bareSql(): Promise<BareSql>;
  close(): Promise<void>;
}

/** Sets an empty stage up. */
export function createStage(postgresUrl: string | undefined): Stage {
  const targets = new Map<Target['contestant'], Promise<Target>>();
  let bareSql: Promise<BareSql> | undefined;
  return {
    postgresUrl,
    target: (contestant) => {
      const known = targets.get(contestant);
      if (known) return known;
      const started = startTarget(contestant, postgresUrl);
      targets.set(contestant, started);
      return started;
    },
    bareSql: () => {
      bareSql ??= startBareSql();
      return bareSql;
    },
    close: async () => {
      const started = bareSql ? [...targets.values(), bareSql] : [...targets.values()];
      // What never started has nothing to close; that it did not was told by the row that needed it.
      const settled = await Promise.allSettled<Target | BareSql>(started);
      await Promise.all(settled.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
    },
  };
}
