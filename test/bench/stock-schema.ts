import { createPubSub, createSchema } from 'graphql-yoga';
import type { StockEvent, StockStore } from './stock-store.ts';

const TYPES = `
  scalar JSON
  enum RunProvider { anthropic deepseek openai gemini mistral }
  enum RunRuntime { native managed }
  enum RunnerEventKind {
    runtime_started assistant_text tool_request tool_response skill_loaded file_uploaded notification stream_error
    runtime_terminal
  }
  input CreateRunInput { id: ID!, provider: RunProvider!, runtime: RunRuntime! }
  input RunnerEventInput { seq: Float!, tMs: Float!, kind: RunnerEventKind!, data: JSON! }
  input RunnerEventBatchInput { v: Int!, runId: ID!, events: [RunnerEventInput!]! }
  type RunnerEvent { seq: Float!, tMs: Float!, kind: RunnerEventKind!, data: JSON! }
  type CreateRunSuccess { id: ID! }
  type IngestEventsSuccess { accepted: Int!, duplicates: Int!, lastSeq: Float! }
  type BatchRejected { code: String!, message: String! }
  union IngestEventsResult = IngestEventsSuccess | BatchRejected
  type Query { ready: Boolean! }
  type Mutation {
    createRun(input: CreateRunInput!): CreateRunSuccess!
    ingestEvents(batch: RunnerEventBatchInput!): IngestEventsResult!
  }
  type Subscription { runEvents(runId: ID!): RunnerEvent! }
`;

interface CreateRunArgs {
  readonly input: { readonly id: string; readonly provider: string; readonly runtime: string };
}
interface IngestArgs {
  readonly batch: { readonly runId: string; readonly events: readonly StockEvent[] };
}

/** Creates the part of the server's schema that the benchmark uses, implemented as in Yoga's guide. */
export function createStockSchema(store: StockStore) {
  const pubSub = createPubSub<{ runEvents: [runId: string, event: StockEvent] }>();
  return createSchema({
    typeDefs: TYPES,
    resolvers: {
      Query: { ready: () => true },
      Mutation: {
        createRun: async (_root: unknown, { input }: CreateRunArgs) => {
          await store.createRun(input.id, input.provider, input.runtime);
          return { id: input.id };
        },
        ingestEvents: async (_root: unknown, { batch: { runId, events } }: IngestArgs) => {
          await store.append(runId, events);
          for (const event of events) pubSub.publish('runEvents', runId, event);
          return {
            __typename: 'IngestEventsSuccess',
            accepted: events.length,
            duplicates: 0,
            lastSeq: events.at(-1)!.seq,
          };
        },
      },
      Subscription: {
        runEvents: {
          subscribe: (_root: unknown, { runId }: { readonly runId: string }) =>
            pubSub.subscribe('runEvents', runId),
          resolve: (event: StockEvent) => event,
        },
      },
    },
  });
}
