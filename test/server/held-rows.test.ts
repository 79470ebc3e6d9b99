import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describePostgres } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { beginRival } from '../support/held-rows.ts';
import { type JobServer, newKey, START_JOB, startJobServer } from '../support/job-server.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN } from '../support/request.ts';
import { eventsFrom, ingest, newRun } from '../support/runs.ts';
import { execute } from '../support/sql.ts';

const INSERT = `INSERT INTO run (workspace, id, provider, runtime, labels, created_at)
  VALUES ('default', 'held', 'openai', 'managed', '{}', 1)`;

const CASES = [
  [
    'startJob',
    'the row of the run',
    START_JOB,
    { i: { runId: 'held', provider: 'openai', runner: 'printer' } },
  ],
  ['createRun', 'the id', CREATE_RUN, { id: 'held' }],
] as const;

describePostgres('a server on a Postgres', ({ freshUrl }) => {
  async function start(databaseUrl: string): Promise<JobServer> {
    const folder = await mkdtemp(join(tmpdir(), 'runfeed-jobs-'));
    releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
    return startJobServer([newKey()], { databaseUrl, folder });
  }

  const codes = async ({ ask }: JobServer, query: string, variables: unknown): Promise<string[]> => {
    const { body } = await ask(query, variables);
    return body.errors ? codesOf(body.errors) : [];
  };

  test.each(CASES)(
    'whose clients ask for %s while somebody else holds %s answers everyone else',
    async (what, _, query, variables) => {
      const url = await freshUrl();
      const server = await start(url);
      const other = await newRun(server.graphql);
      if (what === 'startJob') await newRun(server.graphql, 'held');
      const rival = await beginRival(url);
      await rival.query(what === 'startJob' ? "SELECT 1 FROM run WHERE id = 'held' FOR UPDATE" : INSERT);
      const answers = Array.from({ length: 20 }, () => codes(server, query, variables));
      await rival.untilWaiting(1);
      for (let seq = 0; seq < 3; seq += 1) {
        expect(await ingest(server.graphql, other, eventsFrom(seq, 1))).toMatchObject({ accepted: 1 });
        await newRun(server.graphql);
      }
      const started = { i: { runId: other, provider: 'openai', runner: 'printer' } };
      expect(await codes(server, START_JOB, started)).toEqual([]);
      expect(await Promise.all(answers)).toEqual(answers.map(() => ['OVERLOADED']));
      expect((await fetch(server.graphql.replace(/graphql$/, 'ready'))).status).toBe(200);
      await rival.rollback();
      expect(await codes(server, query, variables)).toEqual([]);
    },
    30_000,
  );

  test.each(['40001', '40P01'])('answers OVERLOADED for a conflict of transactions (%s)', async (state) => {
    const url = await freshUrl();
    const server = await start(url);
    await execute(
      url,
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '${state}'; END $$;
       CREATE TRIGGER fails BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION fail()`,
    );
    expect(await codes(server, CREATE_RUN, { id: 'one' })).toEqual(['OVERLOADED']);
    await execute(url, 'DROP TRIGGER fails ON run');
    expect(await codes(server, CREATE_RUN, { id: 'one' })).toEqual([]);
  });
});
