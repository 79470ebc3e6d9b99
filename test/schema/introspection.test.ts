import { buildClientSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql';
import { expect, onTestFinished, test } from 'vitest';
import { schemaText } from '../../src/graphql/schema.ts';
import { post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

test('introspection shows the published schema, including the typed batch', async () => {
  const server = await startTestServer();
  onTestFinished(() => server.close());
  const { body } = await post(server.graphql, getIntrospectionQuery({ specifiedByUrl: true }));
  expect(body.errors).toBeUndefined();
  const seen = buildClientSchema(body.data as never);
  expect(`${printSchema(lexicographicSortSchema(seen))}\n`).toBe(schemaText());
});
