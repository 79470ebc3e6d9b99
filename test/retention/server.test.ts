import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describePostgres, describeStores } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventsFrom, eventually, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { shiftedClock } from '../support/shifted-clock.ts';
import { execute } from '../support/sql.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Believes the database's clock at once. */
const BELIEVES = { retention: { proofMs: 0 } };
const LEFT = 'query ($id: ID!) { run(id: $id) { events(first: 100) { edges { node { seq } } } } }';

/** Returns the numbers of the events that are left of a run. */
async function left(graphql: string, id: string): Promise<number[]> {
  const { body } = await post(graphql, LEFT, { id });
  const run: { events: { edges: { node: { seq: number } }[] } } = body.data!.run!;
  return run.events.edges.map(({ node }) => node.seq);
}

describeStores('a server with RETENTION_DAYS', ({ freshUrl }) => {
  test('removes runs that ended earlier, and shuts down cleanly', async () => {
    const DATABASE_URL = await freshUrl();
    const first = await startTestServer({ DATABASE_URL });
    const ids = [await newRun(first.graphql), await newRun(first.graphql)] as const;
    for (const id of ids) await ingest(first.graphql, id, [...eventsFrom(0, 5), terminalAt(5)]);
    await first.close();
    const ended = Date.now() - 4 * DAY_MS;
    await execute(DATABASE_URL, `UPDATE run SET ended_at = ${ended} WHERE id = '${ids[0]}'`);
    const second = await startTestServer({ DATABASE_URL, RETENTION_DAYS: '3' }, BELIEVES);
    await eventually(async () => (await left(second.graphql, ids[0])).length === 1);
    expect(await left(second.graphql, ids[0])).toEqual([5]);
    expect(await left(second.graphql, ids[1])).toEqual([0, 1, 2, 3, 4, 5]);
    await second.close();
  });

  test('a page of a log says what retention removed of it', async () => {
    const DATABASE_URL = await freshUrl();
    const first = await startTestServer({ DATABASE_URL });
    const id = await newRun(first.graphql);
    await ingest(first.graphql, id, [...eventsFrom(0, 5), terminalAt(5)]);
    await first.close();
    await execute(DATABASE_URL, `UPDATE run SET ended_at = ${Date.now() - 4 * DAY_MS} WHERE id = '${id}'`);
    const second = await startTestServer({ DATABASE_URL, RETENTION_DAYS: '3' }, BELIEVES);
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

test('a server whose clock is ahead removes nothing after a restart, even if a run has ended by it', async () => {
  const first = await startServe();
  const DATABASE_URL = first.databaseUrl;
  const [old, live] = [await newRun(first.graphql), await newRun(first.graphql)];
  const stop = async (server: typeof first) => {
    server.kill('SIGTERM');
    expect((await server.exit).code).toBe(0);
  };
  await ingest(first.graphql, old, [...eventsFrom(0, 5), terminalAt(5)]);
  await stop(first);
  const ahead = { DATABASE_URL, RETENTION_DAYS: '30', LOG_LEVEL: 'info', ...shiftedClock(60) };
  const second = await startServe(ahead);
  await ingest(second.graphql, live, [terminalAt(0)]);
  await stop(second);
  const third = await startServe(ahead);
  // A server sweeps two seconds after its start.
  await sleep(4_000);
  expect(await left(third.graphql, old)).toEqual([0, 1, 2, 3, 4, 5]);
  await stop(third);
  expect((await third.exit).stderr).not.toContain('removed the history');
});

describePostgres('a server whose clock is days behind that of its database', ({ freshUrl }) => {
  const END = 'mutation ($id: ID!) { endRun(input: { runId: $id }) { __typename } }';
  const ENDED_AT = 'query ($id: ID!) { run(id: $id) { endedAt } }';

  test('ends runs by the database’s clock, so that another server keeps their history', async () => {
    const DATABASE_URL = await freshUrl();
    const behind = await startServe({ DATABASE_URL, ...shiftedClock(-3) });
    const old = await newRun(behind.graphql);
    const [ended, ingested] = [await newRun(behind.graphql), await newRun(behind.graphql)];
    const before = Date.now();
    for (const id of [old, ingested]) await ingest(behind.graphql, id, [...eventsFrom(0, 5), terminalAt(5)]);
    await ingest(behind.graphql, ended, eventsFrom(0, 5));
    await post(behind.graphql, END, { id: ended });
    // By the faulty clock this run would have ended after the others.
    await execute(DATABASE_URL, `UPDATE run SET ended_at = ${before - 2.5 * DAY_MS} WHERE id = '${old}'`);
    const retaining = await startTestServer({ DATABASE_URL, RETENTION_DAYS: '2' }, BELIEVES);
    releaseAfterwards(() => retaining.close());
    await eventually(async () => (await left(retaining.graphql, old)).length === 1);
    for (const id of [ended, ingested]) {
      expect(await left(retaining.graphql, id)).toEqual([0, 1, 2, 3, 4, 5]);
      const { body } = await post(behind.graphql, ENDED_AT, { id });
      const { endedAt } = body.data!.run as unknown as { endedAt: string };
      expect(Math.abs(Date.parse(endedAt) - before)).toBeLessThan(60_000);
    }
  });
});
