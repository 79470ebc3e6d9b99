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
import type { OperationRequest } from './operation-request.ts';
import { refusalOf } from './operations.ts';
import { executedSchema } from './schema.ts';
import { rootField } from './selection.ts';

/** The one root field of a subscription, with its arguments and the operation's variables, coerced. */
export interface SubscriptionRoot {
  readonly field: FieldNode;
  readonly args: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * The root field of a subscription whose answers can be shared. Null when the operation is none of these fields', or is
 * at fault: then executing it says what is wrong.
 */
export function subscriptionRoot(
  request: OperationRequest,
  fields: readonly string[],
): SubscriptionRoot | null {
  if (refusalOf(request)) return null;
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

/** Variables that decide what is selected: all but those that are only the root field's own arguments. */
export function shapingVariables(
  document: DocumentNode,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const shaping: Record<string, unknown> = {};
  const note = {
    Variable: ({ name }: VariableNode) => {
      shaping[name.value] = variables[name.value];
    },
  };
  if (field.selectionSet) visit(field.selectionSet, note);
  for (const node of document.definitions) if (node.kind === Kind.FRAGMENT_DEFINITION) visit(node, note);
  return shaping;
}
