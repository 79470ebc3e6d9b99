import { type BareSql, startBareSql } from './bare-sql-process.ts';
import { type DurableStreams, startDurableStreams } from './durable-streams.ts';
import { type LongRun, makeLongRun } from './long-run.ts';
import { startTarget, type Target } from './target.ts';

/** The servers that rows share: started when first asked for, so that later rows meet them warm. */
export interface Stage {
  /** A Postgres server to measure on; undefined: SQLite. */
  readonly postgresUrl: string | undefined;
  target(contestant: Target['contestant']): Promise<Target>;
  /** This server on SQLite, whatever the others are on. */
  oursOnSqlite(): Promise<Target>;
  durableStreams(): Promise<DurableStreams>;
  bareSql(): Promise<BareSql>;
  /** The run of very many events, in our server. */
  longRun(): Promise<LongRun>;
  close(): Promise<void>;
}

/** Sets an empty stage up. */
export function createStage(postgresUrl: string | undefined, longRunEvents: number): Stage {
  const started: Promise<{ close(): Promise<void> }>[] = [];
  const once = <Server extends { close(): Promise<void> }>(start: () => Promise<Server>) => {
    let server: Promise<Server> | undefined;
    return (): Promise<Server> => {
      if (server) return server;
      server = start();
      started.push(server);
      return server;
    };
  };
  const ours = once(() => startTarget('ours', postgresUrl));
  const stock = once(() => startTarget('stock', postgresUrl));
  const oursOnSqlite = once(() => startTarget('ours', undefined));
  let longRun: Promise<LongRun> | undefined;
  return {
    postgresUrl,
    target: (contestant) => (contestant === 'ours' ? ours() : stock()),
    oursOnSqlite: postgresUrl === undefined ? ours : oursOnSqlite,
    durableStreams: once(startDurableStreams),
    bareSql: once(startBareSql),
    longRun: async () => {
      const target = await ours();
      longRun ??= makeLongRun(target, longRunEvents);
      return longRun;
    },
    close: async () => {
      // What never started has nothing to close; that it did not was told by the row that needed it.
      const settled = await Promise.allSettled(started);
      await Promise.all(settled.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
    },
  };
}
