import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schemaText } from '../../src/graphql/schema.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('schema.graphql is what the code says (npm run schema writes it)', async () => {
  expect(await readFile(`${root}/schema.graphql`, 'utf8')).toBe(schemaText());
});

test('every type, field, argument and enum value is described', () => {
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

test('the schema passes the linter’s recommended and relay rules', { timeout: 60_000 }, async () => {
  const eslint = [`${root}/node_modules/eslint/bin/eslint.js`, '-c', 'test/schema/eslint.config.js'];
  const linting = promisify(execFile)(process.execPath, [...eslint, 'schema.graphql'], { cwd: root });
  const { stdout } = await linting.catch((failure: { stdout: string; stderr: string }) => ({
    stdout: failure.stdout + failure.stderr,
  }));
  expect(stdout).toBe('');
});
