import { expect, test } from 'vitest';
import { createDocuments } from '../../src/graphql/operations/documents.ts';
import { publicSchema } from '../../src/graphql/schema.ts';

test('a document that is requested again stays cached, however many are requested once', () => {
  const documents = createDocuments(publicSchema);
  const ask = (query: string) => {
    const isKnown = documents.knows(query);
    documents.parse(query);
    return isKnown;
  };
  const again = '{ server { version } }';
  expect([ask(again), ask(again)]).toEqual([false, true]);
  const pad = ' '.repeat(500);
  for (let number = 0; number < 5_000; number += 1) ask(`query q${number} { server { version } }${pad}`);
  expect(ask(again)).toBe(true);
  expect(ask(`query q0 { server { version } }${pad}`)).toBe(false);
});
