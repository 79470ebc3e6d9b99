import { openAudience } from './audience.ts';
import { batchFrom } from './batches.ts';
import { createRuns, followBatchesPayload } from './documents.ts';
import type { Contestant, Entrant, Goal, Row } from './row.ts';
import type { Target } from './target.ts';
import { openWriter } from './writer.ts';

const BATCH_SIZE = 8;
const LOST_AFTER_MS = 30_000;

/** The cost of one more batch and one more subscriber at the end of a long run, compared with a new run. */
export function longRunRow(goals: readonly Goal[]): Row {
  return {
    title: 'a long run',
    baseline: 'a new run',
    lines: [
      { title: 'append a batch of 8', unit: 'µs', goals, showsGrowth: true },
      { title: 'resume at the tail, 8 events', unit: 'µs', goals, showsGrowth: true },
    ],
    rhythm: 'short rounds',
    enter: async (stage) => {
      const target = await stage.target('ours');
      const { id, events } = await stage.longRun();
      let made = 0;
      const newRun = async (): Promise<Tail> => {
        made += 1;
        const runId = `new-run-${made}`;
        await createRuns(target.graphqlUrl, [runId]);
        return { runId, nextSeq: 0 };
      };
      let tail: Tail = { runId: id, nextSeq: events };
      return [
        enter(
          'ours',
          target,
          async () => tail,
          (grown) => {
            tail = grown;
          },
        ),
        enter('baseline', target, newRun, () => {}),
      ];
    },
  };
}

/** The end of a run. */
interface Tail {
  readonly runId: string;
  readonly nextSeq: number;
}

function enter(
  contestant: Contestant,
  { graphqlUrl }: Target,
  begin: () => Promise<Tail>,
  grown: (tail: Tail) => void,
): Entrant {
  return {
    contestant,
    round: async (ms) => {
      const { runId, nextSeq: first } = await begin();
      const appended = await append(graphqlUrl, runId, first, ms / 2);
      grown({ runId, nextSeq: appended.nextSeq });
      const resumedUs = await resume(graphqlUrl, runId, appended.nextSeq - BATCH_SIZE - 1, ms / 2);
      return [appended.eachUs, resumedUs];
    },
    close: async () => {},
  };
}

async function append(
  graphqlUrl: string,
  runId: string,
  first: number,
  ms: number,
): Promise<{ readonly eachUs: number; readonly nextSeq: number }> {
  const writer = await openWriter(graphqlUrl, 'websocket');
  try {
    const startedAt = performance.now();
    let nextSeq = first;
    while (performance.now() - startedAt < ms || nextSeq === first) {
      const accepted = await writer.send(runId, batchFrom(nextSeq, BATCH_SIZE));
      if (accepted !== BATCH_SIZE) throw new Error(`${accepted} of ${BATCH_SIZE} events were accepted`);
      nextSeq += BATCH_SIZE;
    }
    const batches = (nextSeq - first) / BATCH_SIZE;
    return { eachUs: ((performance.now() - startedAt) / batches) * 1_000, nextSeq };
  } finally {
    writer.close();
  }
}

/** Subscribes after this number repeatedly, each time until it has caught up. */
async function resume(graphqlUrl: string, runId: string, after: number, ms: number): Promise<number> {
  const audience = await openAudience(graphqlUrl.replace('http', 'ws'), 1, 'graphql-transport-ws');
  try {
    const socket = audience.sockets[0]!;
    socket.send('{"type":"connection_init"}');
    await audience.reached(1);
    const payload = followBatchesPayload(runId, after, 1_024);
    const caughtUp = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('a subscriber received nothing')), LOST_AFTER_MS);
        socket.witness((text) => {
          if (!text.includes('"caughtUp":true') && !text.includes('"type":"error"')) return;
          clearTimeout(timer);
          resolve(text);
        });
      });
    const startedAt = performance.now();
    let times = 0;
    for (; performance.now() - startedAt < ms || times === 0; times += 1) {
      const answer = caughtUp();
      socket.send(`{"id":"${times}","type":"subscribe","payload":${payload}}`);
      const text = await answer;
      if (text.split('"tMs":').length - 1 !== BATCH_SIZE)
        throw new Error(`unexpected events at the tail: ${text}`);
      socket.send(`{"id":"${times}","type":"complete"}`);
    }
    return ((performance.now() - startedAt) / times) * 1_000;
  } finally {
    audience.close();
  }
}
