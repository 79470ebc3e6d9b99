import { type ASTVisitor, GraphQLError, Kind, type SelectionNode, type ValidationContext } from 'graphql';

const CONDITIONS: readonly string[] = ['skip', 'include'];

/**
 * Refuses `@skip` and `@include` on the root field of a subscription, as the GraphQL specification does since September
 * 2025: a subscription needs its field. graphql-js 16 lacks the rule, and fails with a TypeError once the field is left out.
 */
export function UnconditionalSubscriptionRule(context: ValidationContext): ASTVisitor {
  function refuseConditions(selections: readonly SelectionNode[], visited: Set<string>): void {
    for (const selection of selections) {
      const condition = selection.directives?.find(({ name }) => CONDITIONS.includes(name.value));
      if (condition) {
        const message = `@${condition.name.value} is not allowed on the root field of a subscription: remove it`;
        context.reportError(new GraphQLError(message, { nodes: condition }));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT)
        refuseConditions(selection.selectionSet.selections, visited);
      if (selection.kind !== Kind.FRAGMENT_SPREAD || visited.has(selection.name.value)) continue;
      visited.add(selection.name.value);
      refuseConditions(context.getFragment(selection.name.value)?.selectionSet.selections ?? [], visited);
    }
  }
  return {
    OperationDefinition: ({ operation, selectionSet }) => {
      if (operation === 'subscription') refuseConditions(selectionSet.selections, new Set());
      return false;
    },
  };
}
