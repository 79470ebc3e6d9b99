import { expect, test } from 'vitest';
import { describePostgres } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

describePostgres('a server on Postgres without SECRET_KEYS', ({ freshUrl }) => {
  test('reports at startup, and to every caller who starts a job, that jobs need them', async () => {
    const server = await startTestServer({ DATABASE_URL: await freshUrl(), LOG_LEVEL: 'warn' });
    releaseAfterwards(() => server.close());
    const needed = expect.stringContaining('SECRET_KEYS is required for jobs on Postgres');
    expect(server.logged).toEqual([needed]);
    const { body } = await post(
      server.graphql,
      'mutation { startJob(input: { runId: "r", provider: openai }) { ... on Error { code message } } }',
    );
    expect(body.data?.startJob).toEqual({ code: 'runner_runtime_not_implemented', message: needed });
  });
});
