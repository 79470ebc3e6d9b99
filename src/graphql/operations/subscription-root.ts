import {
  type DocumentNode,
  type FieldNode,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  Kind,
  OperationTypeNode,
  type VariableNode,
  visit,
} from 'graphql';
import { jsonLengthLeft } from '../../lib/text/json-length.ts';
import { rootField } from '../price/selection.ts';
import { executedSchema } from '../schema.ts';
import type { OperationRequest } from './request.ts';

/** The only root field of a subscription, with its arguments and the operation's variables, coerced. */
export interface SubscriptionRoot {
  readonly field: FieldNode;
  readonly args: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * Returns the root field of a subscription whose answers can be shared. Null if the operation does not
 * subscribe to one of these fields, or is invalid: executing it then reports what is wrong.
 */
export function subscriptionRoot(
  request: OperationRequest,
  fields: readonly string[],
): SubscriptionRoot | null {
  const { document, operationName, variableValues } = request;
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== OperationTypeNode.SUBSCRIPTION || operation.directives?.length) return null;
  const field = rootField(operation);
  if (!field || !fields.includes(field.name.value)) return null;
  const { coerced } = getVariableValues(
    executedSchema,
    operation.variableDefinitions ?? [],
    variableValues ?? {},
    { maxErrors: 1 },
  );
  const definition = executedSchema.getSubscriptionType()?.getFields()[field.name.value];
  if (!coerced || !definition) return null;
  return { field, args: getArgumentValues(definition, field, coerced), variables: coerced };
}

/** Characters of a subscription's variables, and of their part of the key, if its writer is cached. */
const MAX_SHARED_VARIABLES_LENGTH = 1024;

/** The properties that subscriptions of one document must share to use the same writer. */
export interface SharedShape {
  readonly key: string;
  /** The variables that the operation declares, as the client sent them. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * Returns the cache key of a writer and the variables that it may keep. Both are short, because writers
 * outlive the first connection that used them. Null if the variables are too long.
 */
export function sharedShape(request: OperationRequest, root: SubscriptionRoot): SharedShape | null {
  const { document, operationName, variableValues } = request;
  // Without a prototype, because a variable can have the name `__proto__`.
  const variables: Record<string, unknown> = Object.create(null);
  for (const { variable } of getOperationAST(document, operationName)?.variableDefinitions ?? []) {
    const { value: name } = variable.name;
    if (variableValues && Object.hasOwn(variableValues, name)) variables[name] = variableValues[name];
  }
  if (shortJson(variables) === null) return null;
  const key = shortJson([operationName ?? '', shapingVariables(document, root.field, root.variables)]);
  return key === null ? null : { key, variables };
}

/** Returns a value as JSON. Null if it is too long, which is checked before writing, or has no JSON form. */
function shortJson(value: unknown): string | null {
  if (jsonLengthLeft(value, MAX_SHARED_VARIABLES_LENGTH) < 0) return null;
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** Returns the variables that affect the selection: all but those used only as the root field's arguments. */
function shapingVariables(
  document: DocumentNode,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const shaping: Record<string, unknown> = Object.create(null);
  const note = {
    Variable: ({ name }: VariableNode) => {
      shaping[name.value] = variables[name.value];
    },
  };
  if (field.selectionSet) visit(field.selectionSet, note);
  for (const node of document.definitions) if (node.kind === Kind.FRAGMENT_DEFINITION) visit(node, note);
  return shaping;
}
