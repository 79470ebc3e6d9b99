import { expect, test } from 'vitest';
import { createDocuments } from '../../src/graphql/document.ts';
import { publicSchema } from '../../src/graphql/schema.ts';

test('the document cache holds at most half a MiB of text, which takes a hundred times as much parsed', () => {
  const documents = createDocuments(publicSchema);
  const dense = (index: number) => `query Q${index} { run(id: "r") { id ${'# \n'.repeat(13_000)} } }`;
  const first = documents.parse(dense(0));
  // Compared with `===`: printing a syntax tree whose tokens are linked overflows the stack.
  expect(documents.parse(dense(0)) === first).toBe(true);
  const half = (512 * 1024) / dense(0).length;
  for (let index = 1; index < half + 1; index += 1) documents.parse(dense(index));
  expect(documents.parse(dense(0)) === first).toBe(false);
});
