import { copyFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EMPTY_HEAD } from '../../src/store/store.ts';
import { append, createRun, events } from '../suites/store-records.ts';
import { describePostgres, freshSqliteUrl } from '../support/databases.ts';
import { INGEST, post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { newRun } from '../support/runs.ts';
import { execute } from '../support/sql.ts';

describePostgres('a Postgres database that is configured to lose commits', ({ freshUrl, open }) => {
  /** Adds a trigger that records the settings under which an event is inserted. */
  const noteSettings = async (url: string): Promise<void> => {
    await execute(url, 'CREATE TABLE noted (durable text, isolation text, memory text)');
    await execute(
      url,
      `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO noted VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation'),
           current_setting('work_mem'));
         RETURN NULL;
       END $$`,
    );
    await execute(url, 'CREATE TRIGGER note AFTER INSERT ON event EXECUTE FUNCTION note()');
  };

  test.each(['', '?options=-c%20work_mem%3D8MB%20-c%20synchronous_commit%3Doff', '?application_name=mine'])(
    'still makes commits durable for a URL that ends in "%s"',
    async (ending) => {
      const url = await freshUrl();
      const name = new URL(url).pathname.slice(1);
      await execute(url, `ALTER DATABASE ${name} SET synchronous_commit = off`);
      await execute(url, `ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`);
      const store = await open(`${url}${ending}`);
      await noteSettings(url);
      await store.commit([append(await createRun(store), EMPTY_HEAD, events(0, 2))]);
      const [noted] = await execute(url, 'SELECT * FROM noted');
      expect(noted).toMatchObject({ durable: 'on', isolation: 'read committed' });
      if (ending.includes('work_mem')) expect(noted).toMatchObject({ memory: '8MB' });
    },
  );
});

test('a stopped server leaves everything in the one SQLite file, which can be copied alone', async () => {
  const server = await startServe();
  const runId = await newRun(server.graphql);
  const batch = { v: 1, runId, events: [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'kept' } }] };
  expect((await post(server.graphql, INGEST, { b: batch })).status).toBe(200);
  // Reads open connections, too.
  await post(server.graphql, '{ runs(first: 1) { nodes { id title events(first: 1) { nodes { seq } } } } }');
  server.kill('SIGTERM');
  expect(await server.exit).toMatchObject({ code: 0 });
  const DATABASE_URL = await freshSqliteUrl();
  copyFileSync(server.databaseUrl.slice('file:'.length), DATABASE_URL.slice('file:'.length));
  const restored = await startServe({ DATABASE_URL });
  const { body } = await post(
    restored.graphql,
    `{ run(id: "${runId}") { events(first: 1) { nodes { data } } } }`,
  );
  expect(body).toMatchObject({ data: { run: { events: { nodes: [{ data: { text: 'kept' } }] } } } });
});
