import {
  REQUEST_MAX_BYTES,
  REQUEST_MAX_WEIGHT,
  RESPONSE_MAX_LENGTH,
  SUBSCRIPTION_REQUEST_MAX_BYTES,
} from '../config/limits.ts';
import type { RunnerConfig } from '../config/runners.ts';
import { RUNNER_EVENT_BATCH_MAX_EVENTS, RUNNER_EVENT_VERSION } from '../contract/events.ts';
import { BATCH_MAX_EVENTS } from '../feed/batches.ts';
import { builder } from './builder.ts';
import { JobSubstrateEnum, RunProviderEnum } from './enums.ts';
import {
  DOCUMENT_LIMITS,
  OPERATION_COST,
  RESPONSE_BYTES,
  SUBSCRIPTION_COST,
  SUBSCRIPTION_LIMITS,
  VARIABLE_REUSE_LENGTH,
} from './price/limits.ts';
import { RUN_UPDATE_LIMITS } from './runs/updates.ts';

interface ServerInfo {
  readonly version: string;
  readonly dialect: 'sqlite' | 'postgres';
  readonly runners: readonly RunnerConfig[];
}

/** The public fields of a runner: without its image, command and environment. */
const ServerRunner = builder.objectRef<RunnerConfig>('ServerRunner').implement({
  description: 'A runner that jobs can use.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name to pass to `startJob` as `runner`.' }),
    substrate: t.field({
      type: JobSubstrateEnum,
      description: 'The substrate.',
      resolve: ({ substrate }) => substrate,
    }),
    providers: t.field({
      type: [RunProviderEnum],
      description: 'The providers that the runner supports.',
      resolve: ({ providers }) => [...providers],
    }),
    regions: t.stringList({
      description: 'The regions that the runner may run in. The first is the default.',
      resolve: ({ regions }) => [...regions],
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description: 'The default and maximum run time of a job, in milliseconds.',
      resolve: ({ maxRunDurationMs }) => maxRunDurationMs,
    }),
  }),
});

const ServerLimits = builder.objectRef<Record<string, never>>('ServerLimits').implement({
  description: 'The limits above which requests are refused.',
  fields: (t) => ({
    batchEvents: t.int({
      description: 'Events in a batch.',
      resolve: () => RUNNER_EVENT_BATCH_MAX_EVENTS,
    }),
    feedBatchEvents: t.int({
      description: 'Events in one batch of `runEventBatches`.',
      resolve: () => BATCH_MAX_EVENTS,
    }),
    requestBytes: t.int({
      description: 'Bytes in a request body or websocket message.',
      resolve: () => REQUEST_MAX_BYTES,
    }),
    requestWeight: t.int({
      description:
        'Weight of a request body or websocket message: its bytes, plus 64 per value, 144 per object ' +
        'or list, and per key 640 the first time and 64 each time after that.',
      resolve: () => REQUEST_MAX_WEIGHT,
    }),
    responseLength: t.int({
      description: 'Characters in an answer.',
      resolve: () => RESPONSE_MAX_LENGTH,
    }),
    documentTokens: t.int({
      description: 'Tokens in a document.',
      resolve: () => DOCUMENT_LIMITS.tokens,
    }),
    documentDepth: t.int({
      description: 'Nesting depth of an operation, with fragments expanded.',
      resolve: () => DOCUMENT_LIMITS.depth,
    }),
    documentFields: t.int({
      description: 'Fields of an operation, with fragments expanded.',
      resolve: () => DOCUMENT_LIMITS.fields,
    }),
    documentWrittenFields: t.int({
      description: 'Fields and fragment spreads in a document, without expanding fragments.',
      resolve: () => DOCUMENT_LIMITS.writtenFields,
    }),
    documentSameNames: t.int({
      description: 'Fields with the same response name in one selection.',
      resolve: () => DOCUMENT_LIMITS.sameNames,
    }),
    documentReads: t.int({
      description: 'Fields in an operation that read a list, a page of events or a terminal event.',
      resolve: () => DOCUMENT_LIMITS.reads,
    }),
    documentLogs: t.int({
      description: '`logs` fields in an operation.',
      resolve: () => DOCUMENT_LIMITS.logs,
    }),
    nameLength: t.int({
      description: 'Characters in a name: of a field, alias, variable or fragment.',
      resolve: () => DOCUMENT_LIMITS.nameLength,
    }),
    variableReuseLength: t.int({
      description:
        'Characters of variables that one operation may use again: each use of a variable after its first counts.',
      resolve: () => VARIABLE_REUSE_LENGTH,
    }),
    operationCost: t.int({
      description:
        'Cost of a query or mutation: its fields, each multiplied by the lengths of the lists ' +
        'around it, plus the cost of reads.',
      resolve: () => OPERATION_COST,
    }),
    subscriptionCost: t.int({
      description: 'Cost of one event of a subscription.',
      resolve: () => SUBSCRIPTION_COST,
    }),
    subscriptionDocumentBytes: t.int({
      description: 'Characters in a document that contains a subscription.',
      resolve: () => SUBSCRIPTION_LIMITS.bytes,
    }),
    subscriptionRequestBytes: t.int({
      description: 'Bytes in a request that opens a subscription, including variables.',
      resolve: () => SUBSCRIPTION_REQUEST_MAX_BYTES,
    }),
    subscriptionFields: t.int({
      description: 'Fields of a subscription, with fragments expanded.',
      resolve: () => SUBSCRIPTION_LIMITS.fields,
    }),
    responseBytes: t.int({
      description: 'Bytes of events and strings in an answer.',
      resolve: () => RESPONSE_BYTES,
    }),
    runUpdateFilters: t.int({
      description: 'Different `runUpdated` filters on one connection.',
      resolve: () => RUN_UPDATE_LIMITS.filtersPerConnection,
    }),
  }),
});

const ServerInfoType = builder.objectRef<ServerInfo>('ServerInfo').implement({
  description: 'The server that answers the request.',
  fields: (t) => ({
    version: t.exposeString('version', { description: 'The version of runfeed.' }),
    contractVersion: t.int({
      description: 'The version of the contract.',
      resolve: () => RUNNER_EVENT_VERSION,
    }),
    store: t.exposeString('dialect', {
      description: 'The database that stores the runs: `sqlite` or `postgres`.',
    }),
    substrates: t.field({
      type: [JobSubstrateEnum],
      description: 'The substrates that jobs can run on.',
      resolve: ({ runners }) => [...new Set(runners.map(({ substrate }) => substrate))],
    }),
    runners: t.field({
      type: [ServerRunner],
      description: 'The runners that jobs can use.',
      resolve: ({ runners }) => [...runners],
    }),
    limits: t.field({
      type: ServerLimits,
      description: 'The limits above which requests are refused.',
      resolve: () => ({}),
    }),
  }),
});

builder.queryField('server', (t) =>
  t.field({
    type: ServerInfoType,
    description: 'The server’s version, limits and runners.',
    resolve: (_root, _args, { version, store, jobs }) => ({
      version,
      dialect: store.dialect,
      runners: jobs.runners,
    }),
  }),
);
