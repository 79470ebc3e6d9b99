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
import { invalidInput } from './errors/invalid-input.ts';
import { MAX_RUNS_A_PAGE, RUNS_A_PAGE } from './price/limits.ts';

/** The types that the builder uses in every field. */
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

/** The only builder. Each noun defines its types in its own file. */
export const builder = new SchemaBuilder<ApiTypes>({
  // The first plugin wraps all others, so that an error thrown by validation can become a member of a result.
  plugins: [ErrorsPlugin, ZodPlugin, PrismaPlugin, RelayPlugin],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultUnionOptions: {
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
      description: 'The items of the page with their cursors, in order.',
    },
    nodeFieldOptions: { nullable: false, description: 'The item.' },
    cursorFieldOptions: {
      description: 'The cursor of this item, for `after` or `before`.',
    },
    pageInfoFieldOptions: { description: 'How to request the pages before and after this one.' },
    hasNextPageFieldOptions: { description: 'True if items follow this page.' },
    hasPreviousPageFieldOptions: { description: 'True if items precede this page.' },
    startCursorFieldOptions: {
      description: 'Pass this as `before` to get the previous page. Null if the page is empty.',
    },
    endCursorFieldOptions: {
      description: 'Pass this as `after` to get the next page. Null if the page is empty.',
    },
    firstArgOptions: { description: 'The most items to return, counted from the start or from `after`.' },
    lastArgOptions: {
      description: 'The most items to return, counted back from the end or from `before`. Excludes `first`.',
    },
    afterArgOptions: { description: 'Return only items after this cursor.' },
    beforeArgOptions: { description: 'Return only items before this cursor.' },
    pageInfoTypeOptions: {
      description: 'How to request the pages before and after a page.',
    },
    nodesOnConnection: {
      description: 'The items of the page, without cursors.',
    },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
});

builder.queryType({ description: 'All operations that read.' });
builder.mutationType({ description: 'All operations that change something.' });
builder.subscriptionType({ description: 'All operations that follow changes.' });
