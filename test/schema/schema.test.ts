import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schemaText } from '../../src/graphql/schema.ts';
import { styleProblems } from './style.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('schema.graphql matches the code (run npm run schema to update it)', async () => {
  expect(await readFile(`${root}/schema.graphql`, 'utf8')).toBe(schemaText());
});

test('every type, field, argument and enum value has a description', () => {
  const schema = buildSchema(schemaText());
  const silent: string[] = [];
  const note = (name: string, description: string | null | undefined) => {
    if (!description?.trim()) silent.push(name);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__') || ['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name)) {
      continue;
    }
    note(type.name, type.description);
    if (isEnumType(type)) {
      for (const value of type.getValues()) note(`${type.name}.${value.name}`, value.description);
    }
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        note(`${type.name}.${field.name}`, field.description);
      }
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        note(`${type.name}.${field.name}`, field.description);
        for (const arg of field.args) note(`${type.name}.${field.name}(${arg.name})`, arg.description);
      }
    }
  }
  expect(silent).toEqual([]);
});

// Types that need no id: outcomes, values, pages. An event is identified by its run and number, a job by its
// run, and a runner by its name.
const WITHOUT_ID = {
  suffixes: ['Connection', 'Edge', 'Success', 'Batch', 'Gap'],
  types: [
    'BatchRejected',
    'JobRefused',
    'JobResources',
    'NativeRunRefused',
    'NotFound',
    'PageInfo',
    'ResourceStats',
    'RunConflict',
    'RunnerEvent',
    'RunnerJob',
    'RunnerJobHandle',
    'ServerInfo',
    'ServerLimits',
    'ServerRunner',
  ],
};

test('the schema follows the usual style and Relay’s connections', () => {
  expect(styleProblems(schemaText(), WITHOUT_ID)).toEqual([]);
});

test('the style check finds violations', () => {
  const sdl = `
    directive @Bad on FIELD
    type Query { queryThing(First: Int): thing  getRuns: RunsConnection  old: Int @deprecated }
    type thing { name: String }
    type RunsConnection { edges: [RunsEdge] pageInfo: PageInfo }
    type RunsEdge { node: [thing] cursor: Int }
    type PageInfo { hasNextPage: Boolean }
    enum StateEnum { RUNNING }
    type Lost { id: ID! }
  `;
  expect(styleProblems(sdl, { suffixes: ['Connection', 'Edge'], types: [] }).sort()).toEqual([
    'naming-convention, require-description: @Bad',
    'naming-convention: Query: First',
    'naming-convention: StateEnum',
    'naming-convention: StateEnum: RUNNING',
    'naming-convention: getRuns',
    'naming-convention: queryThing',
    'naming-convention: thing: thing',
    'no-unreachable-types: Lost',
    'no-unreachable-types: StateEnum',
    'relay-arguments: Query.getRuns',
    'relay-connection-types: RunsConnection',
    'relay-edge-types: RunsEdge',
    'relay-page-info: endCursor',
    'relay-page-info: hasNextPage',
    'relay-page-info: hasPreviousPage',
    'relay-page-info: startCursor',
    'require-deprecation-reason: Query.old',
    'strict-id-in-types: PageInfo',
    'strict-id-in-types: thing',
  ]);
});
