import { expect, test } from 'vitest';
import { createDocuments } from '../../src/graphql/document.ts';
import { publicSchema } from '../../src/graphql/schema.ts';

test('documents are remembered, but never more than half a MiB of them: parsed they weigh a hundredfold', () => {
  const documents = createDocuments(publicSchema);
  const dense = (index: number) => `query Q${index} { run(id: "r") { id ${'# \n'.repeat(13_000)} } }`;
  const first = documents.parse(dense(0));
  // Compared here: printing a syntax tree in which every token knows the next overflows the stack.
  expect(documents.parse(dense(0)) === first).toBe(true);
  const half = (512 * 1024) / dense(0).length;
  for (let index = 1; index < half + 1; index += 1) documents.parse(dense(index));
  expect(documents.parse(dense(0)) === first).toBe(false);
});
