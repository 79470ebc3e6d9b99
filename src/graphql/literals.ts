import { GraphQLError, Kind, type ValueNode } from 'graphql';

/**
 * Converts a literal in a document to JSON. Values that JSON cannot carry become what the caller's check
 * refuses: an enum value becomes undefined, and 1e400 becomes Infinity. GraphQL's own conversion hides them.
 * `enumAt` names the keys at which an enum value stands for a string.
 */
export function literalToJson(
  node: ValueNode,
  variables: Readonly<Record<string, unknown>> | null | undefined,
  enumAt: ReadonlySet<string> = new Set(),
): unknown {
  switch (node.kind) {
    case Kind.NULL:
      return null;
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.ENUM:
      return undefined;
    case Kind.VARIABLE:
      return variables?.[node.name.value];
    case Kind.LIST:
      return node.values.map((value) => literalToJson(value, variables, enumAt));
    case Kind.OBJECT: {
      const object: Record<string, unknown> = {};
      for (const { name, value } of node.fields) {
        const isText = value.kind === Kind.ENUM && enumAt.has(name.value);
        const json = isText ? value.value : literalToJson(value, variables, enumAt);
        // Defined rather than assigned: `__proto__` is an ordinary key here.
        Object.defineProperty(object, name.value, {
          value: json,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      return object;
    }
  }
}

/** Throws a GraphQL error if a literal contains a value that JSON cannot carry. */
export function assertJsonLiteral(node: ValueNode): void {
  switch (node.kind) {
    case Kind.ENUM:
      throw new GraphQLError(`${node.value} is not a JSON value: write it as a string`, { nodes: node });
    case Kind.INT:
    case Kind.FLOAT:
      if (!Number.isFinite(Number(node.value))) {
        throw new GraphQLError(`${node.value} is too large for a JSON number`, {
          nodes: node,
        });
      }
      return;
    case Kind.LIST:
      for (const value of node.values) assertJsonLiteral(value);
      return;
    case Kind.OBJECT:
      for (const { value } of node.fields) assertJsonLiteral(value);
      return;
    default:
      return;
  }
}
