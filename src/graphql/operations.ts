import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  getOperationAST,
  Kind,
  type TypeNode,
} from 'graphql';
import { RESPONSE_EVENT_BYTES } from '../config/limits.ts';
import { withNext } from '../lib/cancellable.ts';
import { refusedTo } from './authorize.ts';
import { BATCH_INPUT } from './batch-input.ts';
import type { Context } from './context.ts';
import { ingestDirectly } from './direct-ingest.ts';
import { createDocuments, type Documents } from './document.ts';
import { asFault, isPassing, type ReportUnexpected, recoded, rootCause } from './faults.ts';
import { executedSchema, publicSchema } from './schema.ts';

/** One operation that a client asks for. */
export interface OperationRequest {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  readonly contextValue: Omit<Context, 'budget'>;
}

/** What every transport does with operations, the same way. Results hold only faults that the client may know. */
export interface Operations extends Documents {
  /** Runs a query or mutation. */
  execute(request: OperationRequest): Promise<ExecutionResult>;
  /**
   * Starts a subscription; throws a fault that will pass. Its iterator throws where the stream ended for another
   * reason than the run's end; what it throws is for the transport to judge.
   */
  subscribe(
    request: OperationRequest,
  ): Promise<ExecutionResult | AsyncGenerator<ExecutionResult, void, undefined>>;
  /** Answers one event of a subscription's source. */
  answer(request: OperationRequest, event: unknown): Promise<ExecutionResult>;
}

/** Makes the operations over the one schema. `report` hears of what nobody foresaw. */
export function createOperations(report: ReportUnexpected): Operations {
  function told(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    const errors = result.errors.map((error) => {
      // Without data nothing was executed, and without a path no resolver was asked: the variables or the operation's
      // name are at fault, even where a scalar stumbled over a value instead of refusing it.
      if (result.data === undefined && !error.path) {
        return recoded(error, error.message, { code: 'BAD_USER_INPUT', ...error.extensions });
      }
      return asFault(error, result.data === undefined ? 'BAD_USER_INPUT' : 'INTERNAL_SERVER_ERROR', report);
    });
    return { ...result, errors };
  }

  function executionArgs(request: OperationRequest): ExecutionArgs {
    const { document, operationName, variableValues, contextValue } = request;
    const operation = getOperationAST(document, operationName)?.operation;
    return {
      // Introspection, which only queries can hold, has to show the batch as people see it.
      schema: operation === 'query' ? publicSchema : executedSchema,
      document,
      contextValue: {
        ...contextValue,
        budget: { readBytes: RESPONSE_EVENT_BYTES, writtenBytes: RESPONSE_EVENT_BYTES },
      },
      ...(operationName != null && { operationName }),
      ...(variableValues && { variableValues }),
    };
  }

  const answer = async (request: OperationRequest, event: unknown) =>
    told(await execute({ ...executionArgs(request), rootValue: event }));

  return {
    ...createDocuments(publicSchema),
    answer,
    execute: async (request) => {
      const forbidden = refusedTo(request);
      if (forbidden) return { errors: [forbidden] };
      const direct = ingestDirectly(request);
      if (direct) return told(await direct);
      const refused = absentBatch(request);
      return refused ? { errors: [refused] } : told(await execute(executionArgs(request)));
    },
    subscribe: async (request) => {
      const forbidden = refusedTo(request);
      if (forbidden) return { errors: [forbidden] };
      const args = executionArgs(request);
      const source = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in source)) {
        const passing = source.errors?.map(rootCause).find(isPassing);
        if (passing) throw passing;
        return told(source);
      }
      const events = source[Symbol.asyncIterator]() as AsyncGenerator<unknown, void, undefined>;
      return withNext<ExecutionResult>(events, async () => {
        const { done, value } = await events.next();
        if (done) return { done, value: undefined };
        return { done: false, value: await answer(request, value) };
      });
    },
  };
}

/** The one error for a batch variable that is null or absent, which GraphQL refuses before the contract sees it. */
function absentBatch({ document, operationName, variableValues }: OperationRequest): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  for (const { variable, type, defaultValue } of operation?.variableDefinitions ?? []) {
    if (typeName(type) !== BATCH_INPUT) continue;
    const batch = variableValues?.[variable.name.value];
    if (batch != null || (batch === undefined && defaultValue)) continue;
    const message = `$${variable.name.value} must be a batch, and is null or absent`;
    return new GraphQLError(message, {
      nodes: variable,
      extensions: { code: 'invalid_envelope' },
    });
  }
  return null;
}

function typeName(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : typeName(type.type);
}
