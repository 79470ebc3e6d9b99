import {
  buildClientSchema,
  type GraphQLField,
  type GraphQLNamedType,
  getIntrospectionQuery,
  getNamedType,
  type IntrospectionQuery,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
} from 'graphql';
import { post } from '../support/request.ts';

/** Fields that need an argument, or that return more with one. */
const ARGUMENTS: Readonly<Record<string, string>> = { logs: '(lines: 10000)', events: '(first: 50)' };
const DEPTH = 4;

/** Returns a function that selects everything in a type, a few levels deep, by the server's own schema. */
export async function readEverythingOf(graphql: string): Promise<(typeName: string) => string> {
  const { body } = await post(graphql, getIntrospectionQuery());
  const schema = buildClientSchema(body.data as unknown as IntrospectionQuery);

  function selectionOf(type: GraphQLNamedType, depth: number): string {
    if (isUnionType(type)) {
      const members = type.getTypes().map((member) => `... on ${member.name} ${selectionOf(member, depth)}`);
      return `{ ${members.join(' ')} }`;
    }
    if (!isObjectType(type)) return '';
    const fields = Object.values(type.getFields()).flatMap((field) => fieldOf(field, depth));
    return `{ __typename ${fields.join(' ')} }`;
  }

  function fieldOf({ name, args, type }: GraphQLField<unknown, unknown>, depth: number): string[] {
    const named = getNamedType(type);
    if ((isCompositeType(named) && depth === 0) || (args.some(isRequiredArgument) && !ARGUMENTS[name]))
      return [];
    return [`${name}${ARGUMENTS[name] ?? ''} ${selectionOf(named, depth - 1)}`];
  }

  return (typeName) => {
    const type = schema.getType(typeName);
    if (!type) throw new Error(`type ${typeName} does not exist`);
    return selectionOf(type, DEPTH);
  };
}
