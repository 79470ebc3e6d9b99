import { expect, onTestFinished, test } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { Database } from '../../src/store/sqlite-file/driver.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { manyRuns } from '../support/many-runs.ts';
import { post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const QUERIES = 12;
const LISTS = Array.from(
  { length: 12 },
  (_, n) => `a${n}: runs(first: 1, filter: { title: "no ${n}" }) { nodes { id } }`,
);

test('a socket that requests more lists than can be read is OVERLOADED; other clients are not', async () => {
  const url = await freshSqliteUrl();
  const server = await startTestServer({ DATABASE_URL: url, LOG_LEVEL: 'info' });
  onTestFinished(() => server.close());
  const database = new Database(databaseFile(url));
  manyRuns(database, 2_000);
  database.close();
  const socket = await openWebsocket(server.graphql);
  for (let n = 0; n < QUERIES; n += 1) socket.subscribe(`q${n}`, `{ ${LISTS.join(' ')} }`);
  const { body } = await post(server.graphql, '{ runs(first: 20) { nodes { id } } }');
  expect(body.errors).toBeUndefined();
  const codes = new Set<string>();
  let served = 0;
  for (let ended = 0; ended < QUERIES; ) {
    const { type, payload } = await socket.next();
    if (type === 'complete') ended += 1;
    if (type !== 'next') continue;
    const { errors } = payload as { readonly errors?: unknown };
    if (errors) for (const code of codesOf(errors)) codes.add(code);
    else served += 1;
  }
  expect([...codes]).toEqual(['OVERLOADED']);
  expect(served).toBeGreaterThan(0);
  expect(server.logged.filter((line) => line.includes('store'))).toEqual([]);
});
