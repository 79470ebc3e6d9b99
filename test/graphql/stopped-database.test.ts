import { expect, onTestFinished, test } from 'vitest';
import { describePrivatePostgres, privatePostgres } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { eventually } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

describePrivatePostgres('lists while Postgres is down', () => {
  test('a query fails with STORE_UNAVAILABLE, and runUpdated continues afterwards', async () => {
    const postgres = await privatePostgres();
    const server = await startTestServer({ DATABASE_URL: postgres.url });
    onTestFinished(() => server.close());
    const client = await openWebsocket(server.graphql);
    client.subscribe('1', 'subscription { runUpdated { id } }');
    client.send({ type: 'ping' });
    expect((await client.next()).type).toBe('pong');
    await post(server.graphql, CREATE_RUN, { id: 'before' });
    expect(await client.next()).toMatchObject({ payload: { data: { runUpdated: { id: 'before' } } } });
    await postgres.stop('immediate');
    const { body } = await post(server.graphql, '{ runs(first: 1) { nodes { id } } }');
    expect(codesOf(body.errors)).toEqual(['STORE_UNAVAILABLE']);
    await postgres.start();
    await eventually(async () => !(await post(server.graphql, CREATE_RUN, { id: 'after' })).body.errors);
    expect(await client.next()).toMatchObject({ payload: { data: { runUpdated: { id: 'after' } } } });
  });
});
