import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Principal } from '../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import type { FaultCode } from '../contract/errors.ts';
import type { Services } from '../graphql/context.ts';
import { asFault, isPassing, type ReportUnexpected, recoded } from '../graphql/faults.ts';
import type { OperationRequest } from '../graphql/operation-request.ts';
import type { Operations } from '../graphql/operations.ts';
import { publicSchema } from '../graphql/schema.ts';
import { openSharedFeed } from '../graphql/shared-feed.ts';
import { openSharedUpdates } from '../graphql/shared-updates.ts';
import { withNext } from '../lib/cancellable.ts';
import { withinLength } from './answers.ts';
import { type BodyRefusal, type ReadBody, readBody } from './bodies.ts';
import { requestTurn } from './document-turn.ts';
import type { InFlight } from './in-flight.ts';
import type { Load } from './load.ts';
import { createPlainPost } from './plain-post.ts';
import { NO_SNIFFING, respondFault } from './respond.ts';
import { streamFeed } from './sse-feed.ts';
import { subscribePatiently } from './subscribe.ts';
import { weighSubscription } from './subscription-request.ts';

/** How long the last words of a stream have to reach the socket. */
const FLUSH_MS = 100;
/** How long a client whose body is refused may go on sending it before its connection is cut. */
const REFUSED_MS = 10_000;

/** What HTTP and SSE need to answer operations. */
export interface HttpGraphqlOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly report: ReportUnexpected;
  readonly load: Load;
}

/** Answers a request at `/graphql` for its principal. Never throws. */
export type GraphqlListener = (
  request: IncomingMessage,
  response: ServerResponse,
  principal: Principal,
) => void;

interface NodeContext extends Record<string, unknown> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly principal: Principal;
  /** The request's body; null without one. */
  readonly body: ReadBody | null;
}

/** `/graphql` over HTTP and SSE. */
export interface HttpGraphql {
  readonly listener: GraphqlListener;
  /** Cuts every event stream, without `event: complete`. */
  cutStreams(): void;
}

/** Makes the transport: Yoga's pipeline around our parser, validator and executor. */
export function createHttpGraphql(options: HttpGraphqlOptions): HttpGraphql {
  const { operations, inFlight, services, report, load } = options;
  const { unread } = load;
  const request = ({
    document,
    operationName,
    variableValues,
    contextValue,
  }: ExecutionArgs): OperationRequest => ({
    document,
    operationName,
    variableValues,
    contextValue: { ...services, principal: (contextValue as NodeContext).principal },
    owner: (contextValue as NodeContext).req.socket,
  });
  const streams = new Set<ServerResponse>();
  const ours: Plugin = {
    onParams: async ({ params, context }) => {
      if (typeof params.query !== 'string') return;
      const { req, body } = context as NodeContext;
      const request = { bytes: body?.bytes.length ?? 0, query: params.query };
      await requestTurn(operations, load, req.socket, request);
    },
    onParse: ({ setParseFn }) => setParseFn(operations.parse),
    onValidate: ({ setValidationFn }) =>
      setValidationFn((_schema, document) => operations.validate(document)),
    onExecute: ({ setExecuteFn }) =>
      setExecuteFn(async (args) =>
        withinLength(await inFlight.track(() => operations.execute(request(args)))),
      ),
    onSubscribe: ({ setSubscribeFn }) =>
      setSubscribeFn(async (args) => {
        const { req, res, body } = args.contextValue as NodeContext;
        const asStream = req.headers.accept?.includes('text/event-stream');
        try {
          weighSubscription(body?.bytes ?? queryOf(req));
        } catch (error) {
          const refused = { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
          return asStream ? refusal(refused, res) : refused;
        }
        body?.held.release();
        if (res.destroyed) return cutAtOnce(res);
        const gone = new AbortController();
        streams.add(res);
        const { socket } = req;
        res.once('close', () => {
          gone.abort();
          streams.delete(res);
        });
        const asked = request(args);
        const feed = asStream
          ? ((await openSharedFeed(asked)) ?? openSharedUpdates(asked, operations))
          : null;
        if (feed) {
          await streamFeed(feed, res, gone.signal, report, load);
          // Yoga finds the response ended and leaves it as it is.
          return {};
        }
        let results: Awaited<ReturnType<typeof subscribePatiently>>;
        try {
          results = await subscribePatiently(operations, asked, gone.signal);
        } catch (error) {
          if (isPassing(error) || gone.signal.aborted) return cutAtOnce(res);
          throw error;
        }
        if (!(Symbol.asyncIterator in results)) {
          return asStream ? refusal(results, res) : results;
        }
        return endsOnlyWithTheRun(results, res, report, () => unread.note(socket));
      }),
    // Yoga says keep-alive on every stream, also to a client that has asked for the connection to close.
    onResponse: ({ response }) => response.headers.delete('connection'),
  };
  const yoga = createYoga<NodeContext>({
    schema: publicSchema,
    plugins: [ours],
    maskedErrors: {
      maskError: (error) => inOurTerms(asFault(error, 'BAD_REQUEST', report)),
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
  const plainPost = createPlainPost(options, yoga.fetchAPI);

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
    body: ReadBody | null,
  ): Promise<void> {
    try {
      const answered = body && plainPost(request, response, body.bytes, principal);
      if (answered && (await answered)) return;
      // Its client is gone: Yoga would make an answer for nobody.
      if (request.socket.destroyed) return;
      if (body) giveBody(request, body.bytes);
      for (const [name, value] of Object.entries(NO_SNIFFING)) response.setHeader(name, value);
      await yoga(request, response, { principal, body } as NodeContext);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else
        respondFault(
          response,
          500,
          'INTERNAL_SERVER_ERROR',
          asFault(error, 'INTERNAL_SERVER_ERROR', report).message,
        );
    } finally {
      body?.held.release();
    }
  }

  const listener: GraphqlListener = (request, response, principal) => {
    // Requests in one write without waiting for answers are answered one after another, so that one connection
    // cannot have hundreds of answers made at once.
    if (!response.socket) {
      // In a turn of the loop each: what was sent in one write would otherwise be answered in one go.
      response.once('socket', (socket: Socket) =>
        setImmediate(() => {
          if (!socket.destroyed) listener(request, response, principal);
        }),
      );
      return;
    }
    if (request.method !== 'POST') return void answer(request, response, principal, null);
    readBody(
      request,
      load,
      (body) => void answer(request, response, principal, body),
      (refusal) => refuse(request, response, refusal),
    );
  };

  return {
    listener,
    cutStreams: () => {
      for (const response of streams) response.destroy();
    },
  };
}

/** What the URL of a request asks, as text. */
function queryOf({ url = '' }: IncomingMessage): Buffer {
  return Buffer.from([...new URL(url, 'http://localhost').searchParams.values()].join());
}

/** Leaves a body that was read where Yoga looks for one, since the request's stream has ended. */
function giveBody(request: IncomingMessage, body: Buffer): void {
  const bytes = {
    length: body.length,
    async *[Symbol.asyncIterator]() {
      yield body;
    },
  };
  Object.assign(request, { body: bytes });
}

/** Refuses a request whose body may still be coming. A connection that is cut at once could lose the answer. */
function refuse(request: IncomingMessage, response: ServerResponse, refusal: BodyRefusal): void {
  if (refusal.status === 503) response.setHeader('retry-after', '1');
  respondFault(response, refusal.status, refusal.code, refusal.message);
  if (request.complete) return;
  const late = setTimeout(() => request.socket.destroy(), REFUSED_MS);
  request.once('close', () => clearTimeout(late)).once('end', () => clearTimeout(late));
}

/** Codes of Yoga's that are called otherwise here. */
const OUR_CODES: ReadonlyMap<unknown, FaultCode> = new Map([
  ['OPERATION_RESOLUTION_FAILURE', 'BAD_USER_INPUT'],
  ['REQUEST_ENTITY_TOO_LARGE', 'BODY_TOO_LARGE'],
]);

/** A refusal of Yoga's own with a code from our list, and without the words of the parser that failed inside. */
function inOurTerms(error: GraphQLError): GraphQLError {
  const { originalError: inside, ...extensions } = error.extensions;
  const { code, http } = extensions as { code?: unknown; http?: { status?: unknown } };
  const ours = http?.status === 405 ? 'METHOD_NOT_ALLOWED' : OUR_CODES.get(code);
  return recoded(error, error.message, {
    ...extensions,
    ...(ours && { code: ours }),
    ...(inside !== undefined && { http: { status: 400 } }),
  });
}

/**
 * Over SSE `event: complete` tells that the run has ended, so a stream that ends for another reason must be cut
 * without it; a fault that will not pass is told first.
 */
function endsOnlyWithTheRun(
  results: AsyncGenerator<ExecutionResult, void, undefined>,
  response: ServerResponse,
  report: ReportUnexpected,
  written: () => void,
): AsyncGenerator<ExecutionResult, void, undefined> {
  let told = false;
  return withNext(results, async () => {
    if (told) throw cut(response);
    // Asked for the next result, Yoga has written the one before.
    written();
    try {
      const result = await results.next();
      return result.done ? result : { done: false, value: withinLength(result.value) };
    } catch (error) {
      if (isPassing(error)) throw cut(response);
      told = true;
      return {
        done: false,
        value: { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] },
      };
    }
  });
}

/** A stream that never began: as a plain result it would be followed by `event: complete`. */
async function* refusal(
  result: ExecutionResult,
  response: ServerResponse,
): AsyncGenerator<ExecutionResult, void, undefined> {
  yield result;
  throw cut(response);
}

async function* cutAtOnce(response: ServerResponse): AsyncGenerator<never, void, undefined> {
  yield* [];
  throw cut(response);
}

/**
 * Yoga ends its part on an AbortError and leaves the connection open. What was told before passes through streams of
 * its own, hence the moment; whoever is too slow for it subscribes again and is told again.
 */
function cut(response: ServerResponse): DOMException {
  setTimeout(() => response.destroy(), FLUSH_MS);
  return new DOMException('the stream was cut: subscribe again from the cursor', 'AbortError');
}
