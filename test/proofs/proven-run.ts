import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { CONNECTIONS } from './connections.ts';
import { type Producer, startProducer } from './producer.ts';
import { createScript } from './script.ts';
import { type Subscriber, startSubscriber } from './subscriber.ts';

/** A run that is written and followed while its servers fail. */
export interface ProvenRun {
  /** Resolves when the server has acknowledged something more of every producer. */
  progress(): Promise<void>;
  /** Adds a follower from the start for each kind of connection, and returns them. */
  follow(graphql: string): readonly Subscriber[];
  /**
   * Ends the run, waits for all participants, and compares what was stored and received with what was sent.
   */
  expectWhole(): Promise<Tally>;
}

/** A summary of a proof for people. */
export interface Tally {
  readonly events: number;
  readonly retries: number;
  readonly reconnects: number;
}

/** A run to create: the `/graphql` URLs of the servers at which it is written and followed. */
export interface Cast {
  readonly runId: string;
  readonly producersAt: readonly string[];
  readonly followersAt: readonly string[];
}

/**
 * Creates a run and starts its producers, which all send the same events, and a follower of each kind per
 * server.
 */
export async function startProvenRun({ runId, producersAt, followersAt }: Cast): Promise<ProvenRun> {
  const home = producersAt[0]!;
  const { body } = await post(home, CREATE_RUN, { id: runId });
  expect(body.errors).toBeUndefined();
  const script = createScript(runId);
  const careful = producersAt.length === 1;
  const producers = producersAt.map((graphql) => startProducer(() => graphql, script, { careful }));
  const subscribers: (Subscriber & { readonly seen: readonly RunnerEvent[] })[] = [];
  function follow(graphql: string): readonly Subscriber[] {
    const added = CONNECTIONS.map((connection) => {
      const seen: RunnerEvent[] = [];
      const take = (event: RunnerEvent) => void seen.push(event);
      return { ...startSubscriber(() => graphql, runId, connection, take), seen };
    });
    subscribers.push(...added);
    return added;
  }
  for (const graphql of followersAt) follow(graphql);

  return {
    progress: async () => void (await Promise.all(producers.map(progress))),
    follow,
    expectWhole: async () => {
      script.end();
      await Promise.all([...producers, ...subscribers].map(({ done }) => done));
      const sent = script.events();
      expectSame(await readLog(home, runId), sent);
      for (const { seen } of subscribers) expectSame(seen, sent);
      const { body } = await post(home, 'query ($id: ID!) { run(id: $id) { ended lastSeq eventCount } }', {
        id: runId,
      });
      expect(body.data).toEqual({ run: { ended: true, lastSeq: sent.at(-1)!.seq, eventCount: sent.length } });
      return {
        events: sent.length,
        retries: producers.reduce((sum, producer) => sum + producer.retries(), 0),
        reconnects: subscribers.reduce((sum, subscriber) => sum + subscriber.cuts.length, 0),
      };
    },
  };
}

/** Resolves at the producer's next acknowledgement. Rejects if it was refused. */
async function progress({ acknowledged, done }: Producer): Promise<void> {
  const before = acknowledged();
  while (acknowledged() === before) await Promise.race([done, sleep(5)]);
}

/** Compares the numbers first, because their difference is short to read. */
function expectSame(actual: readonly RunnerEvent[], expected: readonly RunnerEvent[]): void {
  expect(actual.map(({ seq }) => seq)).toEqual(expected.map(({ seq }) => seq));
  expect(actual).toEqual(expected);
}

async function readLog(graphql: string, runId: string): Promise<RunnerEvent[]> {
  const query = `query ($id: ID!, $after: String) { run(id: $id) {
    events(first: 1000, after: $after) { nodes: edges { node { seq tMs kind data } } pageInfo { hasNextPage endCursor } }
  } }`;
  const log: RunnerEvent[] = [];
  for (let after: string | null = null; ; ) {
    const { body } = await post(graphql, query, { id: runId, after });
    const { nodes, pageInfo }: LogPage = (body.data as unknown as { run: { events: LogPage } }).run.events;
    log.push(...nodes.map(({ node }) => node));
    if (!pageInfo.hasNextPage) return log;
    after = pageInfo.endCursor;
  }
}

interface LogPage {
  readonly nodes: readonly { readonly node: RunnerEvent }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
