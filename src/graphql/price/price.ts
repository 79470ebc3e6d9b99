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
import { BYTES_PER_COST } from './limits.ts';
import type { FieldPrice, PageSize, PriceList } from './price-list.ts';
import { fragmentsOf } from './selection.ts';

/**
 * The size and cost of an operation, with fragments expanded. Never below the cost of its execution. Fields
 * that the execution merges count separately.
 */
export interface Price {
  /** Nesting levels of fields. */
  readonly depth: number;
  /** Fields, counted once per selection, with lists as one item. */
  readonly fields: number;
  /** Fields that read a list, a page of a log, or a terminal event. */
  readonly reads: number;
  readonly logs: number;
  /** Selections of an event's `data`. */
  readonly data: number;
  /** Bytes of the fields' names and of short values, with lists as one item. */
  readonly bytesOnce: number;
  /** The cost of the work, in written fields, with each list at its maximum length. */
  readonly cost: number;
  /** Bytes of names and short values, with each list at its maximum length. */
  readonly bytes: number;
}

/** Options for pricing a document. */
export interface PriceOptions {
  readonly schema: GraphQLSchema;
  readonly priceList: PriceList;
  /** The variables as sent. If null, every field counts as selected and every list as full. */
  readonly variables: Readonly<Record<string, unknown>> | null;
  /** Called for every selection that pricing visits. */
  readonly onVisit?: (node: SelectionNode) => void;
}

/** A price. `varies` is true if the price depends on variables. */
export interface Priced {
  readonly price: Price;
  readonly varies: boolean;
}

/** The price of a selection. Lists of a page count per item until the size of the page is known. */
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

/** Quotes, colon and comma, and a number, date or short string. Longer strings are counted when written. */
const SHORT_VALUE_BYTES = 28;

/** Caps a number while arithmetic is still exact: numbers double with each level of a fragment bomb. */
function capped(amount: number): number {
  return Math.min(amount, Number.MAX_SAFE_INTEGER);
}

/**
 * Returns the price of an operation. Visits each selection of the document at most once, however often
 * fragments are spread. Also accepts invalid documents: an unknown field costs one field, and a circular
 * fragment costs nothing.
 */
export function priceOperation(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  options: PriceOptions,
): Priced {
  return createPricing(document, options)(operation);
}

/** Creates a function that prices the operations of one document, which share the prices of fragments. */
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
    // A fragment inside itself costs nothing: such a document is never valid.
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
      cost: capped(
        1 + price.charge + pageCost + filterCharge(node, price) + literalCharge(node) + times * cost,
      ),
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

  /** Returns false only if a directive with a known value excludes the selection. */
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

  /** Returns the value of an integer, boolean or variable. Null if absent or null, undefined if unknown. */
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
    // Rounded up: the average lengths of introspection's lists are fractions.
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

/** The cost of a field's literals that is free: more than fields have that are written by hand. */
const FREE_LITERALS = 32;

/**
 * Returns the cost of a field's literals. Every execution of the field reads them, and prints them all into its error
 * if one is invalid: 1 to 2 µs per value, and as much for some characters.
 */
function literalCharge({ arguments: given = [] }: FieldNode): number {
  let cost = 0;
  const waiting: ValueNode[] = given.map(({ value }) => value);
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    cost += 1;
    if (value.kind === Kind.STRING) cost += Math.floor(value.value.length / BYTES_PER_COST);
    else if (value.kind === Kind.LIST) for (const item of value.values) waiting.push(item);
    else if (value.kind === Kind.OBJECT) for (const field of value.fields) waiting.push(field.value);
  }
  return Math.max(0, cost - FREE_LITERALS);
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
