import { expect, test } from 'vitest';
import { INGEST } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { newRun } from '../support/runs.ts';
import { openWebsocket } from '../support/websocket-client.ts';

test.each([1, 60, 300, 4_000])(
  'batches of one socket are appended in the order in which they were sent, even behind one of %d KB',
  async (kilobytes) => {
    const { graphql } = await startServe();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    const send = (id: string, from: number, count: number, characters: number) => {
      const events = Array.from({ length: count }, (_, n) => ({
        seq: from + n,
        tMs: 0,
        kind: 'notification',
        data: { text: 'x'.repeat(characters) },
      }));
      client.subscribe(id, INGEST, { b: { v: 1, runId, events }, previousSeq: from - 1 });
    };
    let next = 0;
    const sent: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (const [count, characters] of [
        [50, (kilobytes * 1_000) / 50] as const,
        [1, 5] as const,
        [1, 5] as const,
      ]) {
        send(`b${next}`, next, count, characters);
        sent.push(`b${next}`);
        next += count;
      }
    }
    const answers = new Map<string, unknown>();
    while (answers.size < sent.length) {
      const { type, id = '', payload } = await client.next();
      if (type === 'next') answers.set(id, payload);
    }
    for (const id of sent)
      expect(answers.get(id)).toMatchObject({
        data: { ingestEvents: { __typename: 'IngestEventsSuccess' } },
      });
  },
);
