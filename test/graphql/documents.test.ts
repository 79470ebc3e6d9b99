import { type FieldNode, type FragmentDefinitionNode, type ListValueNode, parse } from 'graphql';
import { expect, test } from 'vitest';
import { assertBounded } from '../../src/graphql/operations/admission.ts';
import { createDocuments } from '../../src/graphql/operations/documents.ts';
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

test('the literals of a fragment are not visited again for every operation', () => {
  const visits = (operations: number) => {
    const document = parse(
      `fragment F on Mutation { ingestEvents(batch: [1]) } ${'{ a }'.repeat(operations)}`,
      { noLocation: true },
    );
    const [fragment] = document.definitions as [FragmentDefinitionNode];
    const [field] = fragment.selectionSet.selections as readonly [FieldNode];
    const literal = field.arguments![0]!.value as ListValueNode;
    const { values } = literal;
    let count = 0;
    const get = () => {
      count += 1;
      return values;
    };
    Object.defineProperty(literal, 'values', { get, enumerable: true });
    assertBounded(document);
    return count;
  };
  expect(visits(490)).toBe(visits(1));
});

const SEND = 'ingestEvents(batch: $b) { __typename }';

test.each([
  ['by one operation', `mutation ($b: B) { ${SEND} x: ${SEND} }`],
  ['by an operation and a fragment', `mutation ($b: B) { ${SEND} ...F } fragment F on Mutation { ${SEND} }`],
  [
    'by two fragments',
    `mutation ($b: B) { ...F ...G } fragment F on Mutation { ${SEND} } fragment G on Mutation { x: ${SEND} }`,
  ],
])('a batch that is used twice is refused: %s', (_by, query) => {
  expect(() => createDocuments(publicSchema).parse(query)).toThrow('uses of the batch in $b: 2, limit: 1');
});

test('every operation of a document may use a batch', () => {
  const query = `mutation A($b: B) { ${SEND} } mutation B($b: B) { ${SEND} }`;
  expect(createDocuments(publicSchema).parse(query).definitions).toHaveLength(2);
});
