import {
  buildSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  specifiedDirectives,
  validateSchema,
} from 'graphql';

/** The object types that need no `id: ID!`, because they are not requested by id. */
export interface WithoutId {
  readonly suffixes: readonly string[];
  readonly types: readonly string[];
}

const PASCAL = /^[A-Z][A-Za-z0-9]*$/;
const CAMEL = /^[a-z][A-Za-z0-9]*$/;
/** Enum values are the strings of the contract. */
const SNAKE = /^[a-z][a-z0-9_]*$/;
const SCALARS = ['String', 'Int', 'Float', 'Boolean', 'ID'];
const PAGE_INFO = {
  hasNextPage: 'Boolean!',
  hasPreviousPage: 'Boolean!',
  startCursor: 'String',
  endCursor: 'String',
};

/** Returns the style problems of a schema, one line per place, with the linters' usual rule names. */
export function styleProblems(sdl: string, withoutId: WithoutId): string[] {
  const schema = buildSchema(sdl);
  const types = Object.values(schema.getTypeMap()).filter(
    ({ name }) => !name.startsWith('__') && !SCALARS.includes(name),
  );
  return [
    ...validateSchema(schema).map(({ message }) => `invalid: ${message}`),
    ...types.flatMap(namingProblems),
    ...types.flatMap(deprecationProblems),
    ...types
      .filter(isObjectType)
      .flatMap((type) => [
        ...idProblems(schema, type, withoutId),
        ...relayProblems(type),
        ...Object.values(type.getFields()).flatMap((field) => argumentProblems(type, field)),
      ]),
    ...unreachable(schema, types).map((name) => `no-unreachable-types: ${name}`),
    ...schema
      .getDirectives()
      .filter((directive) => !specifiedDirectives.some(({ name }) => name === directive.name))
      .filter(({ name, description }) => !CAMEL.test(name) || !description)
      .map(({ name }) => `naming-convention, require-description: @${name}`),
  ];
}

function namingProblems(type: GraphQLNamedType): string[] {
  const names: [string, RegExp][] = [[type.name, PASCAL]];
  if (isEnumType(type)) names.push(...type.getValues().map(({ name }): [string, RegExp] => [name, SNAKE]));
  for (const { name, args } of fieldsOf(type)) {
    names.push([name, CAMEL], ...args.map((arg): [string, RegExp] => [arg.name, CAMEL]));
  }
  const wrong = names.filter(([name, form]) => !form.test(name)).map(([name]) => `${type.name}: ${name}`);
  const root = ['Query', 'Mutation', 'Subscription'].includes(type.name) ? type.name : null;
  const kind = isInterfaceType(type)
    ? 'Interface'
    : isUnionType(type)
      ? 'Union'
      : isEnumType(type)
        ? 'Enum'
        : 'Type';
  const repeats = (name: string, word: string): boolean =>
    name.toLowerCase().startsWith(word.toLowerCase()) || name.endsWith(word);
  if (root) {
    wrong.push(
      ...fieldsOf(type)
        .filter(({ name }) => repeats(name, root) || /^get[A-Z]/.test(name))
        .map(({ name }) => name),
    );
  } else if (type.name.startsWith(kind) || type.name.endsWith(kind)) wrong.push(type.name);
  return wrong.map((what) => `naming-convention: ${what}`);
}

function deprecationProblems(type: GraphQLNamedType): string[] {
  const members = isEnumType(type) ? type.getValues() : fieldsOf(type);
  return members
    .filter(({ deprecationReason: reason }) => reason === 'No longer supported' || reason === '')
    .map(({ name }) => `require-deprecation-reason: ${type.name}.${name}`);
}

function idProblems(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  { suffixes, types }: WithoutId,
): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const exempt = types.includes(type.name) || suffixes.some((suffix) => type.name.endsWith(suffix));
  if (exempt || roots.includes(type) || typeOf(type, 'id') === 'ID!') return [];
  return [`strict-id-in-types: ${type.name}`];
}

/** Checks Relay's cursor connections. `nodes` may bypass edges; a `Node` interface is not required. */
function relayProblems(type: GraphQLObjectType): string[] {
  const { name } = type;
  if (name === 'PageInfo') {
    return Object.entries(PAGE_INFO)
      .filter(([field, text]) => typeOf(type, field) !== text)
      .map(([field]) => `relay-page-info: ${field}`);
  }
  if (name.endsWith('Connection')) {
    const edges = type.getFields().edges?.type;
    const list = isNonNullType(edges) ? edges.ofType : edges;
    const right = isListType(list) && getNamedType(list).name.endsWith('Edge');
    return right && typeOf(type, 'pageInfo') === 'PageInfo!' ? [] : [`relay-connection-types: ${name}`];
  }
  if (!name.endsWith('Edge')) return [];
  const node = type.getFields().node?.type;
  const single = node && !isListType(isNonNullType(node) ? node.ofType : node);
  const cursor = /^(String|ID)!?$/.test(typeOf(type, 'cursor') ?? '');
  return single && cursor ? [] : [`relay-edge-types: ${name}`];
}

function argumentProblems(type: GraphQLObjectType, field: GraphQLField<unknown, unknown>): string[] {
  if (!getNamedType(field.type).name.endsWith('Connection')) return [];
  const names = field.args.map(({ name, type: given }) => `${name}: ${String(given)}`);
  const forwards = names.includes('first: Int') && names.some((each) => /^after: (String|ID)$/.test(each));
  const backwards = names.includes('last: Int') && names.some((each) => /^before: (String|ID)$/.test(each));
  return forwards || backwards ? [] : [`relay-arguments: ${type.name}.${field.name}`];
}

function unreachable(schema: GraphQLSchema, types: readonly GraphQLNamedType[]): string[] {
  const reached = new Set<GraphQLNamedType>();
  const visit = (type: GraphQLNamedType | null | undefined): void => {
    if (!type || reached.has(type)) return;
    reached.add(type);
    for (const field of fieldsOf(type)) {
      visit(getNamedType(field.type));
      for (const arg of field.args) visit(getNamedType(arg.type));
    }
    if (isObjectType(type) || isInterfaceType(type)) type.getInterfaces().forEach(visit);
    if (isInterfaceType(type) || isUnionType(type)) schema.getPossibleTypes(type).forEach(visit);
  };
  [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].forEach(visit);
  for (const { args } of schema.getDirectives()) for (const arg of args) visit(getNamedType(arg.type));
  return types.filter((type) => !reached.has(type)).map(({ name }) => name);
}

interface Field {
  readonly name: string;
  readonly type:
    | GraphQLField<unknown, unknown>['type']
    | GraphQLField<unknown, unknown>['args'][number]['type'];
  readonly deprecationReason?: string | null | undefined;
  readonly args: GraphQLField<unknown, unknown>['args'];
}

function fieldsOf(type: GraphQLNamedType): readonly Field[] {
  if (isInputObjectType(type))
    return Object.values(type.getFields()).map((field) => ({ ...field, args: [] }));
  return isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
}

function typeOf(type: GraphQLObjectType, field: string): string | undefined {
  const found = type.getFields()[field];
  return found && String(found.type);
}
