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
} from './limits.ts';
import { RUN_UPDATE_LIMITS } from './run-updates.ts';

interface ServerInfo {
  readonly version: string;
  readonly dialect: 'sqlite' | 'postgres';
  readonly runners: readonly RunnerConfig[];
}

/** What anybody may know of a runner: neither its image or command, nor its environment. */
const ServerRunner = builder.objectRef<RunnerConfig>('ServerRunner').implement({
  description: 'A runner that jobs can be started with.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Pass it as `runner` to `startJob`.' }),
    substrate: t.field({
      type: JobSubstrateEnum,
      description: 'What it runs on.',
      resolve: ({ substrate }) => substrate,
    }),
    providers: t.field({
      type: [RunProviderEnum],
      description: 'The providers whose runs it can run.',
      resolve: ({ providers }) => [...providers],
    }),
    regions: t.stringList({
      description: 'Where it may run; the first one is where it does unless asked otherwise.',
      resolve: ({ regions }) => [...regions],
    }),
    maxRunDurationMs: t.field({
      type: 'SafeInt',
      description: 'Milliseconds that a job of it may run, by default and at most.',
      resolve: ({ maxRunDurationMs }) => maxRunDurationMs,
    }),
  }),
});

const ServerLimits = builder.objectRef<Record<string, never>>('ServerLimits').implement({
  description: 'What is refused for being too much.',
  fields: (t) => ({
    batchEvents: t.int({
      description: 'Events in a batch.',
      resolve: () => RUNNER_EVENT_BATCH_MAX_EVENTS,
    }),
    feedBatchEvents: t.int({
      description: 'Events in a batch of a feed.',
      resolve: () => BATCH_MAX_EVENTS,
    }),
    requestBytes: t.int({
      description: 'Bytes of a request body or websocket frame.',
      resolve: () => REQUEST_MAX_BYTES,
    }),
    requestWeight: t.int({
      description:
        'Weight of a request body or websocket message: its bytes, 64 for each value, 144 for each object or list, and ' +
        'for each key 640 the first time and 64 from then on.',
      resolve: () => REQUEST_MAX_WEIGHT,
    }),
    responseLength: t.int({
      description: 'Characters of an answer.',
      resolve: () => RESPONSE_MAX_LENGTH,
    }),
    documentTokens: t.int({
      description: 'Tokens of a document.',
      resolve: () => DOCUMENT_LIMITS.tokens,
    }),
    documentDepth: t.int({
      description: 'Fields within fields of an operation, through its fragments.',
      resolve: () => DOCUMENT_LIMITS.depth,
    }),
    documentFields: t.int({
      description: 'Fields of an operation, each fragment counted wherever it is spread.',
      resolve: () => DOCUMENT_LIMITS.fields,
    }),
    documentWrittenFields: t.int({
      description: 'Fields and fragments of a document as they are written.',
      resolve: () => DOCUMENT_LIMITS.writtenFields,
    }),
    documentSameNames: t.int({
      description: 'Fields with the same name in one selection of the answer.',
      resolve: () => DOCUMENT_LIMITS.sameNames,
    }),
    documentReads: t.int({
      description: 'Fields of an operation that read a list, a page of events or a terminal event.',
      resolve: () => DOCUMENT_LIMITS.reads,
    }),
    documentLogs: t.int({
      description: 'Fields `logs` of an operation.',
      resolve: () => DOCUMENT_LIMITS.logs,
    }),
    nameLength: t.int({
      description: 'Characters of a name in a document: of a field, an alias, a variable, a fragment.',
      resolve: () => DOCUMENT_LIMITS.nameLength,
    }),
    operationCost: t.int({
      description:
        'Cost of a query or mutation: its fields, each as often as the lists above it can answer it, and what reading takes.',
      resolve: () => OPERATION_COST,
    }),
    subscriptionCost: t.int({
      description: 'Cost of one event of a subscription.',
      resolve: () => SUBSCRIPTION_COST,
    }),
    subscriptionDocumentBytes: t.int({
      description: 'Characters of a document that holds a subscription.',
      resolve: () => SUBSCRIPTION_LIMITS.bytes,
    }),
    subscriptionRequestBytes: t.int({
      description: 'Bytes of a request that opens a subscription, with its variables.',
      resolve: () => SUBSCRIPTION_REQUEST_MAX_BYTES,
    }),
    subscriptionFields: t.int({
      description: 'Fields of a subscription, each fragment counted wherever it is spread.',
      resolve: () => SUBSCRIPTION_LIMITS.fields,
    }),
    responseBytes: t.int({
      description: 'Bytes of events and texts in an answer.',
      resolve: () => RESPONSE_BYTES,
    }),
    runUpdateFilters: t.int({
      description: 'Different filters of `runUpdated` on one connection.',
      resolve: () => RUN_UPDATE_LIMITS.filtersPerConnection,
    }),
  }),
});

const ServerInfoType = builder.objectRef<ServerInfo>('ServerInfo').implement({
  description: 'The server that answers.',
  fields: (t) => ({
    version: t.exposeString('version', { description: 'runfeed’s version.' }),
    contractVersion: t.int({
      description: 'The wire contract’s version.',
      resolve: () => RUNNER_EVENT_VERSION,
    }),
    store: t.exposeString('dialect', {
      description: 'Where runs are kept: `sqlite` or `postgres`.',
    }),
    substrates: t.field({
      type: [JobSubstrateEnum],
      description: 'What its jobs can run on.',
      resolve: ({ runners }) => [...new Set(runners.map(({ substrate }) => substrate))],
    }),
    runners: t.field({
      type: [ServerRunner],
      description: 'What jobs can be started with.',
      resolve: ({ runners }) => [...runners],
    }),
    limits: t.field({
      type: ServerLimits,
      description: 'Its limits.',
      resolve: () => ({}),
    }),
  }),
});

builder.queryField('server', (t) =>
  t.field({
    type: ServerInfoType,
    description: 'What this server is and can do.',
    resolve: (_root, _args, { version, store, jobs }) => ({
      version,
      dialect: store.dialect,
      runners: jobs.runners,
    }),
  }),
);
