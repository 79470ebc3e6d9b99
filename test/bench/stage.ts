import { type BareSql, startBareSql } from './bare-sql-process.ts';
import { type DurableStreams, startDurableStreams } from './durable-streams.ts';
import { type LongRun, makeLongRun } from './long-run.ts';
import { startTarget, type Target } from './target.ts';

/** The servers that rows share. Each is started when first requested, so that later rows find it warm. */
export interface Stage {
  /** A Postgres server to measure on. Undefined for SQLite. */
  readonly postgresUrl: string | undefined;
  target(contestant: Target['contestant']): Promise<Target>;
  /** Returns this server on SQLite, whichever database the others use. */
  oursOnSqlite(): Promise<Target>;
  durableStreams(): Promise<DurableStreams>;
  bareSql(): Promise<BareSql>;
  /** Returns the very long run in this server. */
  longRun(): Promise<LongRun>;
  close(): Promise<void>;
}

/** Creates a stage without servers. */
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
      // A server that never started needs no closing. The row that needed it has reported the failure.
      const settled = await Promise.allSettled(started);
      await Promise.all(settled.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
    },
  };
}
