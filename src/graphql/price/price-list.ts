import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { BATCH_DEFAULT_EVENTS, BATCH_MAX_EVENTS } from '../../feed/batches.ts';
import {
  EVENTS_A_PAGE,
  LOGS_COST,
  MAX_EVENTS_A_PAGE,
  MAX_RUNS_A_PAGE,
  PAGE_COST,
  RUNS_A_PAGE,
} from './limits.ts';

/** The number of items in the lists of a page, and the arguments that set it. */
export interface PageSize {
  readonly arguments: readonly string[];
  readonly byDefault: number;
  readonly max: number;
  /** The cost of reading one item, even if none of its fields are selected. */
  readonly itemCharge: number;
}

/** One query of the catalog: Prisma takes 0.3 to 0.4 ms for it. */
const CATALOG_READ = 150;
/** The additional cost of a filter, which may examine many rows before it finds one. */
const FILTER = 1_000;
/** One row that Prisma reads, as an item of a list or through a relation: measured at 50 µs. */
const ROW = 20;
/** One event that a page reads. */
const EVENT = 1;
/** A date takes three times as long to write as a number. */
const DATE = 2;
const MUTATION = 200;

const RUNS: PageSize = {
  arguments: ['first', 'last'],
  byDefault: RUNS_A_PAGE,
  max: MAX_RUNS_A_PAGE,
  itemCharge: ROW,
};
const EVENTS: PageSize = {
  arguments: ['first', 'last'],
  byDefault: EVENTS_A_PAGE,
  max: MAX_EVENTS_A_PAGE,
  itemCharge: EVENT,
};
const FEED_BATCH: PageSize = {
  arguments: ['maxEvents'],
  byDefault: BATCH_DEFAULT_EVENTS,
  max: BATCH_MAX_EVENTS,
  itemCharge: EVENT,
};

/** Fields that return a page: an object whose lists are as long as the field's arguments say. */
const PAGES: ReadonlyMap<string, PageSize> = new Map([
  ['Query.runs', RUNS],
  ['Query.jobs', RUNS],
  ['Run.events', EVENTS],
  ['Subscription.runEventBatches', FEED_BATCH],
]);

/** The assumed lengths of lists outside of pages, which come from the configuration and the enums. */
const LISTS: Readonly<Record<string, number>> = {
  'ServerInfo.runners': 20,
  'ServerInfo.substrates': 4,
  'ServerRunner.providers': 5,
  'ServerRunner.regions': 10,
};

/** The cost of a field in addition to writing it. */
const CHARGES: Readonly<Record<string, number>> = {
  'Query.run': CATALOG_READ,
  'Query.job': CATALOG_READ,
  'Query.runs': 2 * CATALOG_READ,
  'Query.jobs': 2 * CATALOG_READ,
  'Run.events': PAGE_COST,
  'Run.terminal': PAGE_COST,
  'Run.job': ROW,
  'RunnerJob.run': ROW,
  'RunnerJob.logs': LOGS_COST,
  'CreateRunSuccess.run': CATALOG_READ,
  'EndRunSuccess.run': CATALOG_READ,
  'IngestEventsSuccess.run': CATALOG_READ,
  'StartJobSuccess.job': CATALOG_READ,
  'StopJobSuccess.job': CATALOG_READ,
  'StartNativeRunSuccess.run': CATALOG_READ,
};

/** Everything that pricing needs to know about a field. */
export interface FieldPrice {
  /** The one-time cost of the field, in fields. */
  readonly charge: number;
  /** The cost of a `filter` argument that is present. */
  readonly filterCharge: number;
  readonly isList: boolean;
  /** How many times the selection is written, unless a page sets that; below 1 if most values are null. */
  readonly times: number;
  /** The size of the page that the field returns; null if it does not return a page. */
  readonly page: PageSize | null;
  /** True if the field is a list of a page. */
  readonly inPage: boolean;
  readonly isRead: boolean;
  readonly isLogs: boolean;
  readonly isData: boolean;
}

/** Returns the price of a field of a type. */
export type PriceList = (typeName: string, fieldName: string) => FieldPrice;

/** Creates the price list of a schema. Throws if a list has no size here, so that none is forgotten. */
export function createPriceList(schema: GraphQLSchema): PriceList {
  const known = new Map<string, FieldPrice>();
  const pages = new Set<string>();
  const types = Object.values(schema.getTypeMap());
  const introspected = introspectionTimes(types, schema);
  for (const type of types) {
    if (!isObjectType(type)) continue;
    for (const [name, field] of Object.entries(type.getFields())) {
      const page = PAGES.get(`${type.name}.${name}`);
      if (page) pages.add(getNamedType(field.type).name);
      else if (field.args.some((arg) => arg.name === 'first')) throw unknownSize(type, name);
    }
  }
  for (const type of types) {
    if (!isObjectType(type)) continue;
    for (const [name, field] of Object.entries(type.getFields())) {
      const at = `${type.name}.${name}`;
      const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
      const inPage = isList && pages.has(type.name);
      const times = introspected[at] ?? LISTS[at] ?? (isList && !inPage ? null : 1);
      if (times === null) throw unknownSize(type, name);
      const page = PAGES.get(at) ?? null;
      known.set(at, {
        charge:
          (CHARGES[at] ?? 0) +
          (type === schema.getMutationType() ? MUTATION : 0) +
          (getNamedType(field.type).name === 'DateTime' ? DATE : 0),
        filterCharge: field.args.some((arg) => arg.name === 'filter') ? FILTER : 0,
        isList,
        times,
        page,
        inPage,
        isRead: page !== null || at === 'Run.terminal',
        isLogs: at === 'RunnerJob.logs',
        isData: at === 'RunnerEvent.data',
      });
    }
  }
  return (typeName, fieldName) => known.get(`${typeName}.${fieldName}`) ?? PLAIN;
}

const PLAIN: FieldPrice = {
  charge: 0,
  filterCharge: 0,
  isList: false,
  times: 1,
  page: null,
  inPage: false,
  isRead: false,
  isLogs: false,
  isData: false,
};

function unknownSize(type: GraphQLObjectType, field: string): Error {
  return new Error(`${type.name}.${field} is a list of unknown size: add its size to price-list.ts`);
}

/**
 * Returns the lengths of introspection's lists, averaged over all types. With the longest lengths, the
 * introspection that every tool starts with would be priced at many times its cost. graphql-js itself limits
 * the nesting depth.
 */
function introspectionTimes(
  types: readonly GraphQLNamedType[],
  schema: GraphQLSchema,
): Readonly<Record<string, number>> {
  const withFields = types.filter((type) => isObjectType(type) || isInterfaceType(type));
  const fields = withFields.flatMap((type) => Object.values(type.getFields()));
  const directives = schema.getDirectives();
  const each = (count: number, among = types.length) => count / among;
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return {
    '__Schema.types': types.length,
    '__Schema.directives': directives.length,
    '__Type.fields': each(fields.length),
    '__Type.interfaces': each(sum(withFields.map((type) => type.getInterfaces().length))),
    '__Type.possibleTypes': each(
      sum(types.map((type) => (isAbstractType(type) ? schema.getPossibleTypes(type).length : 0))),
    ),
    '__Type.enumValues': each(sum(types.map((type) => (isEnumType(type) ? type.getValues().length : 0)))),
    '__Type.inputFields': each(
      sum(types.map((type) => (isInputObjectType(type) ? Object.keys(type.getFields()).length : 0))),
    ),
    // A list or non-null type wraps another type; most chains end after one or two types.
    '__Type.ofType': 0.5,
    '__Field.args': each(sum(fields.map(({ args }) => args.length)), fields.length),
    '__Directive.args': each(sum(directives.map(({ args }) => args.length)), directives.length),
    '__Directive.locations': each(
      sum(directives.map(({ locations }) => locations.length)),
      directives.length,
    ),
  };
}
