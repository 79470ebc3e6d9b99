import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MiB = 1024 * 1024;
/** The total size of their variables is twice the memory that may remain in use. */
const SUBSCRIPTIONS = 2_048;

function heapAfterGarbage(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test.each([
  [
    'in the selection',
    'subscription ($a: String) { runUpdated { events(first: 1, after: $a) { nodes { seq } } } }',
  ],
  ['that the operation does not declare', 'subscription { runUpdated { id } }'],
])('variables %s are released when their connection closes', async (_where, query) => {
  const { graphql } = await startTransports();
  const before = heapAfterGarbage();
  const client = await openWebsocket(graphql);
  for (let index = 0; index < SUBSCRIPTIONS; index += 1) {
    client.subscribe(`s${index}`, query, { a: `${index}${'x'.repeat(4_000)}` });
    client.send({ id: `s${index}`, type: 'complete' });
    client.send({ type: 'ping' });
    expect((await client.next()).type).toBe('pong');
  }
  client.socket.terminate();
  await client.closed();
  await expect.poll(() => heapAfterGarbage() - before, { timeout: 5_000 }).toBeLessThan(4 * MiB);
});
