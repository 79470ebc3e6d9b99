import {
  type GraphQLError,
  type GraphQLInputType,
  getNamedType,
  getOperationAST,
  isEnumType,
  isInputObjectType,
  isInputType,
  isLeafType,
  isListType,
  isNonNullType,
  type NamedTypeNode,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql';
import { fault } from './faults.ts';
import { VARIABLE_LIST_ITEMS } from './limits.ts';
import type { OperationRequest } from './operation-request.ts';
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
  const operation = variableValues && getOperationAST(document, operationName);
  if (!operation) return null;
  for (const { name, type } of variablesWithLists(operation)) {
    const refused = Object.hasOwn(variableValues, name) && tooLong(variableValues[name], type, `$${name}`);
    if (refused) return fault('BAD_USER_INPUT', refused);
  }
  return null;
}

interface Variable {
  readonly name: string;
  readonly type: GraphQLInputType;
}

const known = new WeakMap<OperationDefinitionNode, readonly Variable[]>();

/** The variables that can hold a list. `ingestEvents` has none, and runs all day. */
function variablesWithLists(operation: OperationDefinitionNode): readonly Variable[] {
  const before = known.get(operation);
  if (before) return before;
  const variables = (operation.variableDefinitions ?? []).flatMap(({ variable, type: node }) => {
    const type = typeFromAST(executedSchema, node as NamedTypeNode);
    if (!isInputType(type) || (isLeafType(getNamedType(type)) && !isList(type))) return [];
    return [{ name: variable.name.value, type }];
  });
  known.set(operation, variables);
  return variables;
}

function isList(type: GraphQLInputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
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
