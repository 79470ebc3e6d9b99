import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/store/unavailable.ts';
import { newRun } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

test('runUpdated waits for a database that fails briefly, and then sends the run', async () => {
  let failures = 2;
  const { graphql } = await startTransports((store) => ({
    ...store,
    catalog: new Proxy(store.catalog, {
      get: (catalog, name) => {
        if (name === 'run' && failures > 0) {
          failures -= 1;
          const error = new StoreUnavailable('down');
          return { findMany: () => Promise.reject(error), findUniqueOrThrow: catalog.run.findUniqueOrThrow };
        }
        return Reflect.get(catalog, name);
      },
    }),
  }));
  const client = await openWebsocket(graphql);
  client.subscribe('1', 'subscription { runUpdated { id } }');
  client.send({ type: 'ping' });
  expect((await client.next()).type).toBe('pong');
  await newRun(graphql, 'r1');
  expect(await client.next()).toMatchObject({
    type: 'next',
    payload: { data: { runUpdated: { id: 'r1' } } },
  });
  expect(failures).toBe(0);
});
