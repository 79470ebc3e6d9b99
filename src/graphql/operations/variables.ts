import {
  type GraphQLError,
  type GraphQLInputType,
  getNamedType,
  getOperationAST,
  isEnumType,
  isInputType,
  isLeafType,
  isListType,
  isNonNullType,
  type NamedTypeNode,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql';
import { fault } from '../errors/faults.ts';
import { BATCH_INPUT } from '../ingest/batch-input.ts';
import { executedSchema } from '../schema.ts';
import { DOCUMENT_LIMITS, VARIABLE_LIST_ITEMS, VARIABLE_TEXT_LENGTH } from './limits.ts';
import type { OperationRequest } from './request.ts';

/**
 * Returns the fault if a list, string or name in the variables is too long to be coerced; otherwise null.
 * Coercion would create an error for each invalid item and repeat each invalid string in it, with suggestions
 * many times its length. The contract checks batches, and the resolvers check JSON objects.
 */
export function refusedVariables({
  document,
  operationName,
  variableValues,
}: OperationRequest): GraphQLError | null {
  const operation = variableValues && getOperationAST(document, operationName);
  if (!operation) return null;
  for (const { name, type } of checkedVariables(operation)) {
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

/** Types whose values the contract or the resolvers check. */
const JSON_TYPES: ReadonlySet<string> = new Set([BATCH_INPUT, 'JSONObject']);

function checkedVariables(operation: OperationDefinitionNode): readonly Variable[] {
  const before = known.get(operation);
  if (before) return before;
  const variables = (operation.variableDefinitions ?? []).flatMap(({ variable, type: node }) => {
    const type = typeFromAST(executedSchema, node as NamedTypeNode);
    return isInputType(type) ? [{ name: variable.name.value, type }] : [];
  });
  known.set(operation, variables);
  return variables;
}

function tooLong(value: unknown, type: GraphQLInputType, path: string): string | null {
  if (isNonNullType(type)) return tooLong(value, type.ofType, path);
  if (isListType(type)) {
    if (!Array.isArray(value)) return tooLong(value, type.ofType, path);
    const named = getNamedType(type);
    const most = isEnumType(named) ? named.getValues().length : VARIABLE_LIST_ITEMS;
    if (value.length > most) return `${path} has ${value.length} items, but at most ${most} are allowed`;
    return first(value.map((item, index) => tooLong(item, type.ofType, `${path}[${index}]`)));
  }
  if (isLeafType(type)) return JSON_TYPES.has(type.name) ? null : tooLongLeaf(value, path);
  if (typeof value !== 'object' || value === null) return tooLongLeaf(value, path);
  const fields = type.getFields();
  return first(
    Object.entries(value).map(([name, member]) => {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field) return tooLong(member, field.type, `${path}.${name}`);
      return name.length > DOCUMENT_LIMITS.nameLength
        ? `${path} contains a field whose name is too long`
        : null;
    }),
  );
}

/** A leaf must be a single value: an error would show the complete contents of an object in its place. */
function tooLongLeaf(value: unknown, path: string): string | null {
  if (typeof value === 'object' && value !== null) return `${path} must be a single value`;
  if (typeof value !== 'string' || value.length <= VARIABLE_TEXT_LENGTH) return null;
  return `${path} has ${value.length} characters, but at most ${VARIABLE_TEXT_LENGTH} are allowed`;
}

function first(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}
