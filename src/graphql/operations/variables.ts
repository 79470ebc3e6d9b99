import {
  type GraphQLError,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  getNamedType,
  getOperationAST,
  isEnumType,
  isInputType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  type NamedTypeNode,
  type OperationDefinitionNode,
  typeFromAST,
} from 'graphql';
import { fault } from '../errors/faults.ts';
import { BATCH_INPUT } from '../ingest/batch-input.ts';
import { DOCUMENT_LIMITS, VARIABLE_LIST_ITEMS, VARIABLE_TEXT_LENGTH } from '../price/limits.ts';
import { executedSchema } from '../schema.ts';
import type { OperationRequest } from './request.ts';

/**
 * Returns the fault if a list or a string in the variables is too long to be coerced, or an object has the wrong fields;
 * otherwise null. Coercion would create an error for each invalid item or field, and repeat the invalid value in it, with
 * suggestions many times its length. The contract checks batches, and the resolvers check JSON objects.
 */
export function refusedVariables({
  document,
  operationName,
  variableValues,
}: OperationRequest): GraphQLError | null {
  const operation = variableValues && getOperationAST(document, operationName);
  if (!operation) return null;
  for (const { name, type } of checkedVariables(operation)) {
    const refused =
      Object.hasOwn(variableValues, name) && refusedValue(variableValues[name], type, `$${name}`);
    if (refused) return fault('BAD_USER_INPUT', refused);
  }
  return null;
}

interface Variable {
  readonly name: string;
  readonly type: GraphQLInputType;
}

const known = new WeakMap<OperationDefinitionNode, readonly Variable[]>();

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

function refusedValue(value: unknown, type: GraphQLInputType, path: string): string | null {
  if (isNonNullType(type)) return refusedValue(value, type.ofType, path);
  if (isListType(type)) {
    if (!Array.isArray(value)) return refusedValue(value, type.ofType, path);
    const named = getNamedType(type);
    const most = isEnumType(named) ? named.getValues().length : VARIABLE_LIST_ITEMS;
    if (value.length > most) return `${path} has ${value.length} items, but at most ${most} are allowed`;
    return first(value.map((item, index) => refusedValue(item, type.ofType, `${path}[${index}]`)));
  }
  if (isLeafType(type)) {
    if (type.name === 'JSONObject') return refusedJson(value, path);
    return type.name === BATCH_INPUT ? null : refusedLeaf(value, path);
  }
  if (typeof value !== 'object' || value === null) return refusedLeaf(value, path);
  return refusedObject(value, type, path);
}

/** An error for an unknown or a missing field would show the complete object, once for each field. */
function refusedObject(value: object, type: GraphQLInputObjectType, path: string): string | null {
  const fields = type.getFields();
  for (const [name, member] of Object.entries(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) {
      const shown =
        name.length > DOCUMENT_LIMITS.nameLength ? 'a field with a long name' : JSON.stringify(name);
      return `${path} contains ${shown}, but ${type.name} has only ${Object.keys(fields).join(', ')}`;
    }
    const refused = refusedValue(member, field.type, `${path}.${name}`);
    if (refused) return refused;
  }
  const missing = Object.values(fields).find(
    (field) => isRequiredInputField(field) && !Object.hasOwn(value, field.name),
  );
  return missing ? `${path}.${missing.name} is required` : null;
}

/** An error would show the complete contents of an array or text in place of an object. */
function refusedJson(value: unknown, path: string): string | null {
  return value === null || (typeof value === 'object' && !Array.isArray(value))
    ? null
    : `${path} must be an object`;
}

/** A leaf must be a single value: an error would show the complete contents of an object in its place. */
function refusedLeaf(value: unknown, path: string): string | null {
  if (typeof value === 'object' && value !== null) return `${path} must be a single value`;
  if (typeof value !== 'string' || value.length <= VARIABLE_TEXT_LENGTH) return null;
  return `${path} has ${value.length} characters, but at most ${VARIABLE_TEXT_LENGTH} are allowed`;
}

function first(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}
