import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  getDirectiveValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** A document's fragments and the coerced variables. If `variables` is null, directives are ignored. */
export interface Scope {
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>> | null;
}

/** Returns the fragments of a document by name. */
export function fragmentsOf(document: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  return new Map(
    document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [],
    ),
  );
}

/** Returns the only root field; null if there are more, or if it is in a fragment or has a directive. */
export function rootField(operation: OperationDefinitionNode): FieldNode | null {
  const [selection, ...more] = operation.selectionSet.selections;
  if (more.length > 0 || selection?.kind !== Kind.FIELD || selection.directives?.length) return null;
  return selection;
}

/**
 * Returns the fields that these nodes select, in order, by response key, with each fragment once, like the
 * executor (GraphQL specification, section 6.3.2). `typeNames` are the object's type and the unions and
 * interfaces it belongs to.
 */
export function collectFields(
  typeNames: readonly string[],
  nodes: readonly { readonly selectionSet?: SelectionSetNode | undefined }[],
  scope: Scope,
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const visited = new Set<string>();
  for (const node of nodes) collect(typeNames, node.selectionSet?.selections ?? [], scope, fields, visited);
  return fields;
}

function collect(
  typeNames: readonly string[],
  selections: readonly SelectionNode[],
  scope: Scope,
  fields: Map<string, FieldNode[]>,
  visited: Set<string>,
): void {
  for (const selection of selections) {
    if (!isIncluded(selection, scope)) continue;
    switch (selection.kind) {
      case Kind.FIELD: {
        const key = selection.alias?.value ?? selection.name.value;
        const sameKey = fields.get(key);
        if (sameKey) sameKey.push(selection);
        else fields.set(key, [selection]);
        break;
      }
      case Kind.INLINE_FRAGMENT: {
        const on = selection.typeCondition?.name.value;
        if (on === undefined || typeNames.includes(on)) {
          collect(typeNames, selection.selectionSet.selections, scope, fields, visited);
        }
        break;
      }
      case Kind.FRAGMENT_SPREAD: {
        const fragment = scope.fragments.get(selection.name.value);
        if (!fragment || visited.has(selection.name.value)) break;
        visited.add(selection.name.value);
        if (!typeNames.includes(fragment.typeCondition.name.value)) break;
        collect(typeNames, fragment.selectionSet.selections, scope, fields, visited);
        break;
      }
    }
  }
}

function isIncluded(node: SelectionNode, { variables }: Scope): boolean {
  if (!node.directives?.length || !variables) return true;
  const skip = getDirectiveValues(GraphQLSkipDirective, node, variables);
  if (skip?.if === true) return false;
  const include = getDirectiveValues(GraphQLIncludeDirective, node, variables);
  return include?.if !== false;
}
