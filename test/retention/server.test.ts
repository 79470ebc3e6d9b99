import { expect, test } from 'vitest';
import { describeStores } from '../support/databases.ts';
import { post } from '../support/request.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const LEFT = 'query ($id: ID!) { run(id: $id) { events(first: 100) { edges { node { seq } } } } }';

describeStores('a server with RETENTION_DAYS', ({ freshUrl }) => {
  test('removes runs that ended earlier, and shuts down cleanly', async () => {
    const DATABASE_URL = await freshUrl();
    const first = await startTestServer({ DATABASE_URL });
    const ids = [await newRun(first.graphql), await newRun(first.graphql)] as const;
    for (const id of ids) await ingest(first.graphql, id, [...eventsFrom(0, 5), terminalAt(5)]);
    await first.close();
    const ended = Date.now() - 4 * DAY_MS;
    await execute(DATABASE_URL, `UPDATE run SET ended_at = ${ended} WHERE id = '${ids[0]}'`);
    const second = await startTestServer({ DATABASE_URL, RETENTION_DAYS: '3' });
    const left = async (id: string) => {
      const { body } = await post(second.graphql, LEFT, { id });
      const run: { events: { edges: { node: { seq: number } }[] } } = body.data!.run!;
      return run.events.edges.map(({ node }) => node.seq);
    };
    await eventually(async () => (await left(ids[0])).length === 1);
    expect(await left(ids[0])).toEqual([5]);
    expect(await left(ids[1])).toEqual([0, 1, 2, 3, 4, 5]);
    await second.close();
  });

  test('a page of a log says what retention removed of it', async () => {
    const DATABASE_URL = await freshUrl();
    const first = await startTestServer({ DATABASE_URL });
    const id = await newRun(first.graphql);
    // The clock of a server that has just started is believed only up to the latest end of a run.
    for (const ended of [id, await newRun(first.graphql)])
      await ingest(first.graphql, ended, [...eventsFrom(0, 5), terminalAt(5)]);
    await first.close();
    await execute(DATABASE_URL, `UPDATE run SET ended_at = ${Date.now() - 4 * DAY_MS} WHERE id = '${id}'`);
    const second = await startTestServer({ DATABASE_URL, RETENTION_DAYS: '3' });
    const page = async (args: string) => {
      const document = `query ($id: ID!) { run(id: $id) { events(${args}) { nodes { seq } gap { fromSeq toSeq reason } } } }`;
      const { body } = await post(second.graphql, document, { id });
      const run: { events: { nodes: { seq: number }[]; gap: unknown } } = body.data!.run!;
      return { seqs: run.events.nodes.map(({ seq }) => seq), gap: run.events.gap };
    };
    await eventually(async () => (await page('first: 9')).seqs.length === 1);
    expect(await page('first: 9')).toEqual({ seqs: [5], gap: { fromSeq: 0, toSeq: 4, reason: 'retention' } });
    expect(await page('after: "1", before: "4"')).toEqual({
      seqs: [],
      gap: { fromSeq: 2, toSeq: 3, reason: 'retention' },
    });
    expect(await page('last: 9')).toEqual({ seqs: [5], gap: { fromSeq: 0, toSeq: 4, reason: 'retention' } });
    expect(await page('after: "4"')).toEqual({ seqs: [5], gap: null });
    await second.close();
  });
});
