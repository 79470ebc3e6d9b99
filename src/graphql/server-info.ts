import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import type { RunnerConfig } from '../config/runners.ts';
import { RUNNER_EVENT_BATCH_MAX_EVENTS, RUNNER_EVENT_VERSION } from '../contract/events.ts';
import { BATCH_MAX_EVENTS } from '../feed/batches.ts';
import { builder } from './builder.ts';
import { DOCUMENT_LIMITS } from './document.ts';
import { JobSubstrateEnum, RunProviderEnum } from './enums.ts';
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
    documentTokens: t.int({
      description: 'Tokens of a document.',
      resolve: () => DOCUMENT_LIMITS.tokens,
    }),
    documentDepth: t.int({
      description: 'Fields within fields of a document.',
      resolve: () => DOCUMENT_LIMITS.depth,
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
