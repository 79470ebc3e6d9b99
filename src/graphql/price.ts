import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionNode,
  type SelectionSetNode,
  TypeMetaFieldDef,
  type ValueNode,
} from 'graphql';
import type { FieldPrice, PageSize, PriceList } from './price-list.ts';
import { fragmentsOf } from './selection.ts';

/** What an operation asks for, its fragments put in place. Never below what executing it comes to, merged fields aside. */
export interface Price {
  /** Fields within fields. */
  readonly depth: number;
  /** Fields, each as often as it is selected, lists as one item. */
  readonly fields: number;
  /** Fields that read a list, a page of a log or a terminal event. */
  readonly reads: number;
  readonly logs: number;
  /** Selections of an event's data. */
  readonly data: number;
  /** Bytes of the fields' names and of short values, lists as one item. */
  readonly bytesOnce: number;
  /** Work in fields written, each list as long as it can get. */
  readonly cost: number;
  /** Bytes of names and short values, each list as long as it can get. */
  readonly bytes: number;
}

/** How a document is priced. */
export interface PriceOptions {
  readonly schema: GraphQLSchema;
  readonly priceList: PriceList;
  /** As the client sent them. Null: not known; then everything is selected, and every list is as long as it can get. */
  readonly variables: Readonly<Record<string, unknown>> | null;
  /** Called for every selection that is looked at. */
  readonly onVisit?: (node: SelectionNode) => void;
}

/** A price, and whether variables have a say in it. */
export interface Priced {
  readonly price: Price;
  readonly varies: boolean;
}

/** The price of a selection. `cost` and `bytes` of a page's lists are for one item, until the page's size is known. */
interface Tally extends Price {
  readonly costPerItem: number;
  readonly bytesPerItem: number;
}

const NOTHING: Tally = {
  depth: 0,
  fields: 0,
  reads: 0,
  logs: 0,
  data: 0,
  bytesOnce: 0,
  cost: 0,
  bytes: 0,
  costPerItem: 0,
  bytesPerItem: 0,
};

/** Quotes, a colon and a comma, and a number, a date or a short text. Longer texts are counted as they are written. */
const SHORT_VALUE_BYTES = 28;

/** Numbers double with each level of a fragment bomb: they stop where arithmetic is still exact. */
function capped(amount: number): number {
  return Math.min(amount, Number.MAX_SAFE_INTEGER);
}

/**
 * The price of an operation. Looks at every selection of the document at most once, however often fragments are spread.
 * Takes documents that are not valid: what the schema does not know costs a field, what goes in circles costs nothing.
 */
export function priceOperation(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  options: PriceOptions,
): Priced {
  return createPricing(document, options)(operation);
}

/** Prices operations of one document, which share what is known of its fragments as far as no variables are. */
export function createPricing(
  document: DocumentNode,
  { schema, priceList, variables, onVisit }: PriceOptions,
): (operation: OperationDefinitionNode) => Priced {
  const fragments = fragmentsOf(document);
  const tallies = new Map<string, Tally>();
  let operation: OperationDefinitionNode;
  let varies = false;

  function tallySet(set: SelectionSetNode | undefined, parent: GraphQLNamedType | undefined): Tally {
    let tally = NOTHING;
    for (const selection of set?.selections ?? []) tally = plus(tally, tallySelection(selection, parent));
    return tally;
  }

  function tallySelection(selection: SelectionNode, parent: GraphQLNamedType | undefined): Tally {
    onVisit?.(selection);
    if (!mayBeSelected(selection)) return NOTHING;
    switch (selection.kind) {
      case Kind.FIELD:
        return tallyField(selection, parent);
      case Kind.INLINE_FRAGMENT: {
        const on = selection.typeCondition?.name.value;
        return tallySet(selection.selectionSet, on === undefined ? parent : schema.getType(on));
      }
      case Kind.FRAGMENT_SPREAD:
        return tallyFragment(fragments.get(selection.name.value));
    }
  }

  function tallyFragment(fragment: FragmentDefinitionNode | undefined): Tally {
    if (!fragment) return NOTHING;
    const name = fragment.name.value;
    const known = tallies.get(name);
    if (known) return known;
    // Met again below itself it costs nothing: such a document is never valid.
    tallies.set(name, NOTHING);
    const tally = tallySet(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value));
    tallies.set(name, tally);
    return tally;
  }

  function tallyField(node: FieldNode, parent: GraphQLNamedType | undefined): Tally {
    const name = node.name.value;
    const price = priceList(parent?.name ?? '', name);
    const type = typeOfField(schema, parent, name);
    const below = tallySet(node.selectionSet, type && getNamedType(type));
    const size = price.page ? sizeOf(node, price.page) : 1;
    const pageCost = price.page ? size * price.page.itemCharge : 0;
    const cost = below.cost + size * below.costPerItem + (price.isList ? 1 : 0);
    const bytes = below.bytes + size * below.bytesPerItem;
    const names = (node.alias ?? node.name).value.length + SHORT_VALUE_BYTES;
    const times = price.inPage ? 0 : price.times;
    return {
      depth: below.depth + 1,
      fields: capped(below.fields + 1),
      reads: capped(below.reads + (price.isRead ? 1 : 0)),
      logs: capped(below.logs + (price.isLogs ? 1 : 0)),
      data: capped(below.data + (price.isData ? 1 : 0)),
      bytesOnce: capped(below.bytesOnce + names),
      cost: capped(1 + price.charge + pageCost + filterCharge(node, price) + times * cost),
      bytes: capped(names + times * bytes),
      costPerItem: price.inPage ? capped(cost) : 0,
      bytesPerItem: price.inPage ? capped(bytes) : 0,
    };
  }

  function sizeOf(node: FieldNode, page: PageSize): number {
    const given = page.arguments
      .map((name) => readValue(argument(node, name)))
      .filter((size) => size !== null);
    if (given.length === 0) return page.byDefault;
    return Math.max(...given.map((size) => (isCount(size) && size <= page.max ? size : page.max)));
  }

  function filterCharge(node: FieldNode, { filterCharge }: FieldPrice): number {
    return filterCharge > 0 && readValue(argument(node, 'filter')) !== null ? filterCharge : 0;
  }

  /** False only where a directive that can be read says so. */
  function mayBeSelected({ directives }: SelectionNode): boolean {
    return (directives ?? []).every((directive) => {
      const { value: name } = directive.name;
      if (name !== 'skip' && name !== 'include') return true;
      const condition = readValue(
        directive.arguments?.find((argument) => argument.name.value === 'if')?.value,
      );
      return condition !== (name === 'skip');
    });
  }

  /** A literal's value as far as prices look at it, or a variable's. Null: absent; undefined: not known. */
  function readValue(node: ValueNode | undefined): unknown {
    switch (node?.kind) {
      case undefined:
      case Kind.NULL:
        return null;
      case Kind.INT:
        return Number(node.value);
      case Kind.BOOLEAN:
        return node.value;
      case Kind.VARIABLE: {
        varies = true;
        if (!variables) return undefined;
        const { value: name } = node.name;
        if (Object.hasOwn(variables, name) && variables[name] !== undefined) return variables[name];
        const definition = operation.variableDefinitions?.find(
          ({ variable }) => variable.name.value === name,
        );
        return readValue(definition?.defaultValue);
      }
      default:
        return undefined;
    }
  }

  return (asked) => {
    operation = asked;
    const { costPerItem, bytesPerItem, ...price } = tallySet(
      asked.selectionSet,
      schema.getRootType(asked.operation) ?? undefined,
    );
    // On average the lists of introspection are not whole numbers long.
    return { price: { ...price, cost: Math.ceil(price.cost), bytes: Math.ceil(price.bytes) }, varies };
  };
}

function plus(one: Tally, other: Tally): Tally {
  if (one === NOTHING) return other;
  return {
    depth: Math.max(one.depth, other.depth),
    fields: capped(one.fields + other.fields),
    reads: capped(one.reads + other.reads),
    logs: capped(one.logs + other.logs),
    data: capped(one.data + other.data),
    bytesOnce: capped(one.bytesOnce + other.bytesOnce),
    cost: capped(one.cost + other.cost),
    bytes: capped(one.bytes + other.bytes),
    costPerItem: capped(one.costPerItem + other.costPerItem),
    bytesPerItem: capped(one.bytesPerItem + other.bytesPerItem),
  };
}

function argument(node: FieldNode, name: string): ValueNode | undefined {
  return node.arguments?.find((argument) => argument.name.value === name)?.value;
}

function isCount(size: unknown): size is number {
  return typeof size === 'number' && Number.isInteger(size) && size >= 0;
}

function typeOfField(
  schema: GraphQLSchema,
  parent: GraphQLNamedType | undefined,
  name: string,
): GraphQLOutputType | undefined {
  if (parent && parent === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef.type;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef.type;
  }
  const hasFields = isObjectType(parent) || isInterfaceType(parent);
  return hasFields ? parent.getFields()[name]?.type : undefined;
}
