import { expect, test } from 'vitest';
import { post } from '../support/request.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

test('a connection may use 20 different runUpdated selections, each any number of times', async () => {
  const { graphql } = await startTransports();
  const client = await openWebsocket(graphql);
  for (let selection = 0; selection < 20; selection += 1)
    for (const time of [1, 2])
      client.subscribe(`s${selection}-${time}`, `subscription { runUpdated { id n${selection}: id } }`);
  client.subscribe('one too many', 'subscription { runUpdated { id more: id } }');
  expect(await client.next()).toMatchObject({
    id: 'one too many',
    type: 'error',
    payload: [{ extensions: { code: 'OVERLOADED' } }],
  });
  client.send({ id: 's0-1', type: 'complete' });
  client.send({ id: 's0-2', type: 'complete' });
  client.subscribe('instead', 'subscription { runUpdated { id more: id } }');
  client.send({ type: 'ping' });
  expect(await client.next()).toMatchObject({ type: 'pong' });
  await post(graphql, 'mutation { createRun(input: { id: "r", provider: openai }) { __typename } }');
  const told = new Set<string | undefined>();
  while (told.size < 39) told.add((await client.next()).id);
  expect(told).toContain('instead');
});
