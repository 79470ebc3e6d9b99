import { GraphQLError, Kind, type ValueNode } from 'graphql';

/**
 * What a literal in a document means as JSON. GraphQL's own conversion lets things through that JSON cannot carry:
 * an enum value becomes undefined, 1e400 becomes Infinity. Here they stay what they are not: `undefined` and
 * `Infinity`, which whoever checks the value refuses. `enumAt` names the keys under which an enum value is text.
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
        // Not assigned: `__proto__` is an ordinary key here.
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

/** Refuses a literal that holds something JSON cannot carry. */
export function assertJsonLiteral(node: ValueNode): void {
  switch (node.kind) {
    case Kind.ENUM:
      throw new GraphQLError(`JSON has no ${node.value}: write it as a string`, { nodes: node });
    case Kind.INT:
    case Kind.FLOAT:
      if (!Number.isFinite(Number(node.value))) {
        throw new GraphQLError(`${node.value} is too big for a JSON number`, {
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
