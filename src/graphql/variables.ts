import {
  type GraphQLError,
  type GraphQLInputType,
  getNamedType,
  getOperationAST,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  typeFromAST,
} from 'graphql';
import { fault } from './faults.ts';
import { VARIABLE_LIST_ITEMS } from './limits.ts';
import type { OperationRequest } from './operations.ts';
import { executedSchema } from './schema.ts';

/**
 * Why variables may not be coerced: a list in them is too long. Each item that is wrong would become an error, and a list
 * of enum values has no use for more of them than there are. Batches are left to the contract. Null: they may.
 */
export function refusedVariables({
  document,
  operationName,
  variableValues,
}: OperationRequest): GraphQLError | null {
  if (!variableValues) return null;
  for (const { variable, type } of getOperationAST(document, operationName)?.variableDefinitions ?? []) {
    const name = variable.name.value;
    const known = Object.hasOwn(variableValues, name) && typeFromAST(executedSchema, type as never);
    const refused = known && tooLong(variableValues[name], known as GraphQLInputType, `$${name}`);
    if (refused) return fault('BAD_USER_INPUT', refused);
  }
  return null;
}

function tooLong(value: unknown, type: GraphQLInputType, path: string): string | null {
  if (isNonNullType(type)) return tooLong(value, type.ofType, path);
  if (isListType(type)) {
    if (!Array.isArray(value)) return null;
    const named = getNamedType(type);
    const most = isEnumType(named) ? named.getValues().length : VARIABLE_LIST_ITEMS;
    if (value.length > most) return `${path} has ${value.length} items: it may have ${most}`;
    return first(value.map((item, index) => tooLong(item, type.ofType, `${path}[${index}]`)));
  }
  if (!isInputObjectType(type) || typeof value !== 'object' || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>;
  return first(
    Object.values(type.getFields()).map((field) =>
      Object.hasOwn(fields, field.name)
        ? tooLong(fields[field.name], field.type, `${path}.${field.name}`)
        : null,
    ),
  );
}

function first(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}
