import { isDeepStrictEqual } from 'node:util';
import { type Audience, openAudience } from './audience.ts';
import { eventAt } from './batches.ts';
import { ask, startPartner } from './child.ts';
import { followBatchesPayload } from './documents.ts';
import type { LongRun } from './long-run.ts';
import { type Entrant, type Goal, onlyLine, type Row } from './row.ts';
import type { Target } from './target.ts';

const MAX_EVENTS = 1_024;

/** Events per second when one websocket subscriber reads the whole history of a run. */
export function replayRow(goals: readonly Goal[]): Row {
  return {
    title: 'replay of a long run, batches of 1,024, 1 subscriber',
    baseline: 'bare SQL and JSON.stringify, sent nowhere',
    lines: onlyLine('events/s', goals),
    rhythm: 'rounds',
    enter: async (stage) => {
      const target = await stage.target('ours');
      const longRun = await stage.longRun();
      return [await enterOurs(target, longRun), await enterBareReader(target, longRun)];
    },
  };
}

async function enterOurs({ graphqlUrl }: Target, { id, events }: LongRun): Promise<Entrant> {
  let checked = false;
  return {
    contestant: 'ours',
    round: async () => {
      const url = graphqlUrl.replace('http', 'ws');
      const audience = await openAudience(url, 1, 'graphql-transport-ws');
      try {
        audience.sockets[0]!.send('{"type":"connection_init"}');
        await audience.reached(1);
        const elapsedMs = await replay(audience, id, events, checked ? countOf : checkedCountOf());
        checked = true;
        return [(events / elapsedMs) * 1_000];
      } finally {
        audience.close();
      }
    },
    close: async () => {},
  };
}

/** Resolves to the milliseconds until the last event has arrived. */
function replay(
  audience: Audience,
  runId: string,
  events: number,
  count: (text: string) => number,
): Promise<number> {
  const socket = audience.sockets[0]!;
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let found = 0;
    socket.witness((text) => {
      if (!text.includes('"type":"next"')) return reject(new Error(`expected events, received: ${text}`));
      found += count(text);
      if (Number.isNaN(found))
        reject(new Error(`received an event that was not sent: ${text.slice(0, 300)}`));
      else if (found > events) reject(new Error(`${found} events instead of ${events}`));
      else if (found === events) resolve(performance.now() - startedAt);
    });
    audience.reached(Number.POSITIVE_INFINITY).catch(reject);
    socket.send(`{"id":"1","type":"subscribe","payload":${followBatchesPayload(runId, -1, MAX_EVENTS)}}`);
  });
}

/** Counts events without parsing, which would cost more than what is measured. No content has this key. */
function countOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"tMs":'); at >= 0; at = text.indexOf('"tMs":', at + 6)) count += 1;
  return count;
}

/** Returns a function that compares events with those sent and counts them. NaN if they differ. */
function checkedCountOf(): (text: string) => number {
  let next = 0;
  return (text) => {
    const { payload } = JSON.parse(text) as {
      payload: { data: { runEventBatches: { events: readonly unknown[] } } };
    };
    const { events } = payload.data.runEventBatches;
    const same = events.every((event, index) => isDeepStrictEqual(event, eventAt(next + index)));
    next += events.length;
    return same ? events.length : Number.NaN;
  };
}

async function enterBareReader({ database }: Target, { id, events }: LongRun): Promise<Entrant> {
  const child = startPartner('bare-reader.ts', { DATABASE_URL: database.url });
  await ask(child, null);
  return {
    contestant: 'baseline',
    round: async () => [(await ask(child, { runId: id, events })) as number],
    close: () => child.stop(),
  };
}
