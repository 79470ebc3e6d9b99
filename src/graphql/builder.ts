import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ZodPlugin from '@pothos/plugin-zod';
import type { JsonObject } from '../contract/events.ts';
import type { RunnerEventBatchValidation } from '../contract/validate.ts';
import type PrismaTypes from '../generated/pothos.ts';
import { getDatamodel } from '../generated/pothos.ts';
import type { Context } from './context.ts';
import { invalidInput } from './invalid-input.ts';

/** The longest page of a list of runs. */
export const MAX_RUNS_A_PAGE = 100;
/** Its length where nothing is said. */
export const RUNS_A_PAGE = 20;

/** The types that the builder threads through every field. */
export interface ApiTypes {
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    SafeInt: { Input: number; Output: number };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: JsonObject; Output: JsonObject };
    RunnerEventBatchInput: { Input: RunnerEventBatchValidation; Output: never };
  };
}

/** The one builder. It defines no types itself; each noun has its own file. */
export const builder = new SchemaBuilder<ApiTypes>({
  // The first plugin wraps all others: an error that validation throws can become a member of a result.
  plugins: [ErrorsPlugin, ZodPlugin, PrismaPlugin, RelayPlugin],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultUnionOptions: {
      description: 'What came of it.',
      name: ({ fieldName }) => `${fieldName[0]?.toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  zod: { validationError: invalidInput },
  prisma: {
    client: (context) => context.store.catalog,
    dmmf: getDatamodel(),
    maxConnectionSize: MAX_RUNS_A_PAGE,
    defaultConnectionSize: RUNS_A_PAGE,
  },
  relay: {
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      description: 'The page, in order.',
    },
    nodeFieldOptions: { nullable: false, description: 'What stands there.' },
    cursorFieldOptions: {
      description: 'Where this edge stands; pass it as `after` or `before`.',
    },
    pageInfoFieldOptions: { description: 'Whether there is more, and from where.' },
    hasNextPageFieldOptions: { description: 'Whether something follows the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether something comes before the page.' },
    startCursorFieldOptions: { description: 'Pass it as `before` for the page before; null: an empty page.' },
    endCursorFieldOptions: { description: 'Pass it as `after` for the next page; null: an empty page.' },
    firstArgOptions: { description: 'At most so many, from the start or `after`.' },
    lastArgOptions: { description: 'At most so many, back from the end or `before`. Excludes `first`.' },
    afterArgOptions: { description: 'Only what follows this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
    pageInfoTypeOptions: {
      description: 'Whether there is more, and from where.',
    },
    nodesOnConnection: {
      description: 'The page’s items, without their cursors.',
    },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
});

builder.queryType({ description: 'Reading what is there.' });
builder.mutationType({ description: 'Changing it.' });
builder.subscriptionType({ description: 'Following it as it changes.' });
