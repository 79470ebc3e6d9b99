import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import type { Context } from '../graphql/context.ts';
import { asFault, isPassing, type ReportUnexpected } from '../graphql/faults.ts';
import type { OperationRequest, Operations } from '../graphql/operations.ts';
import { publicSchema } from '../graphql/schema.ts';
import { withNext } from '../lib/cancellable.ts';
import type { InFlight } from './in-flight.ts';
import { watchProgress } from './liveness.ts';

/** What HTTP and SSE need to answer operations. */
export interface HttpGraphqlOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly context: Omit<Context, 'budget'>;
  readonly report: ReportUnexpected;
}

interface NodeContext extends Record<string, unknown> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** `/graphql` over HTTP and SSE. */
export interface HttpGraphql {
  readonly listener: RequestListener;
  /** Cuts every event stream, without `event: complete`. */
  cutStreams(): void;
}

/** Makes the transport: Yoga's pipeline around our parser, validator and executor. */
export function createHttpGraphql(options: HttpGraphqlOptions): HttpGraphql {
  const { operations, inFlight, context, report } = options;
  const request = ({ document, operationName, variableValues }: ExecutionArgs): OperationRequest => ({
    document,
    operationName,
    variableValues,
    contextValue: context,
  });
  const streams = new Set<ServerResponse>();
  const ours: Plugin = {
    onParse: ({ setParseFn }) => setParseFn(operations.parse),
    onValidate: ({ setValidationFn }) =>
      setValidationFn((_schema, document) => operations.validate(document)),
    onExecute: ({ setExecuteFn }) =>
      setExecuteFn((args) => inFlight.track(() => operations.execute(request(args)))),
    onSubscribe: ({ setSubscribeFn }) =>
      setSubscribeFn(async (args) => {
        const results = await operations.subscribe(request(args));
        if (!(Symbol.asyncIterator in results)) return results;
        const { res } = args.contextValue as NodeContext;
        streams.add(res);
        const stopWatching = res.socket ? watchProgress(res.socket, () => res.destroy()) : () => {};
        res.once('close', () => {
          stopWatching();
          streams.delete(res);
        });
        return endsOnlyWithTheRun(results, report);
      }),
  };
  const listener = createYoga<NodeContext>({
    schema: publicSchema,
    plugins: [ours],
    maskedErrors: {
      maskError: (error) => asFault(error, 'BAD_REQUEST', report),
    },
    maxRequestBodySize: REQUEST_MAX_BYTES,
    // Documents are cached by `operations`, which both transports share.
    parserAndValidationCache: false,
    batching: false,
    multipart: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    // What is unexpected is reported with its id by asFault.
    logging: false,
  });
  return {
    listener,
    cutStreams: () => {
      for (const response of streams) response.destroy();
    },
  };
}

/**
 * Over SSE `event: complete` tells that the run has ended, so a stream that ends for another reason must be cut
 * without it. Yoga cuts on an AbortError; a fault that will not pass is told first.
 */
function endsOnlyWithTheRun(
  results: AsyncGenerator<ExecutionResult, void, undefined>,
  report: ReportUnexpected,
): AsyncGenerator<ExecutionResult, void, undefined> {
  let told = false;
  return withNext(results, async () => {
    if (told) throw abortError();
    try {
      return await results.next();
    } catch (error) {
      if (isPassing(error)) throw abortError();
      told = true;
      return {
        done: false,
        value: { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] },
      };
    }
  });
}

function abortError(): DOMException {
  return new DOMException('the stream was cut: subscribe again from the cursor', 'AbortError');
}
