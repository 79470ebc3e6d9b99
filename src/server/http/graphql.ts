import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type GraphQLParams, type Plugin } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../../config/limits.ts';
import type { Services } from '../../graphql/context.ts';
import { asFault, isPassing, type ReportUnexpected } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import type { Subscription } from '../../graphql/operations/subscription.ts';
import { publicSchema } from '../../graphql/schema.ts';
import type { Load } from '../load/load.ts';
import { withinLength } from '../operations/answers.ts';
import { requestTurn } from '../operations/document-turn.ts';
import { executeOperation } from '../operations/execute.ts';
import type { InFlight } from '../operations/in-flight.ts';
import { enterSubscription, weighSubscription } from '../operations/subscription-request.ts';
import { type BodyRefusal, type ReadBody, readBody } from './bodies.ts';
import { sendEventStream } from './event-stream.ts';
import { createPlainPost } from './plain-post.ts';
import { respondFault } from './respond.ts';
import { giveBody, inOurTerms, problemOf, respondWith } from './yoga-exchange.ts';

/** How long a client may continue to send a refused body before its connection is cut. */
const REFUSED_MS = 10_000;

/** What the HTTP and SSE transport needs to answer operations. */
export interface HttpGraphqlOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly report: ReportUnexpected;
  readonly load: Load;
}

/** Answers a request to `/graphql` on behalf of its principal. Never throws. */
export type GraphqlListener = (
  request: IncomingMessage,
  response: ServerResponse,
  principal: Principal,
) => void;

interface NodeContext extends Record<string, unknown> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly principal: Principal;
  /** Set by Yoga. */
  readonly params?: GraphQLParams;
  /** The request's body. Null if it has none. */
  readonly body: ReadBody | null;
}

/** `/graphql` over HTTP and SSE. */
export interface HttpGraphql {
  readonly listener: GraphqlListener;
  /** Cuts every event stream without sending `event: complete`. */
  cutStreams(): void;
}

/** What Yoga gets as the result of a request that has been answered or cut. It writes nothing then. */
const ANSWERED: ExecutionResult = {};

/** Creates the transport: Yoga's pipeline around this server's parser, validator and executor. */
export function createHttpGraphql(options: HttpGraphqlOptions): HttpGraphql {
  const { operations, services, report, load } = options;
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
      setExecuteFn(async (args) => {
        const { req, params } = args.contextValue as NodeContext;
        // Yoga keeps all parameters until the answer.
        const kept = { ...params?.variables, extensions: params?.extensions };
        return withinLength(await executeOperation(request(args), req.socket, options, kept));
      }),
    onSubscribe: ({ setSubscribeFn }) =>
      setSubscribeFn(async (args) => {
        const { req, res, body } = args.contextValue as NodeContext;
        const { takesStream, asksForStream } = acceptOf(req);
        const gone = new AbortController();
        const stream = { response: res, signal: gone.signal, report, load };
        const refuse = async (errors: readonly GraphQLError[]): Promise<ExecutionResult> => {
          if (!asksForStream) return { errors };
          await sendEventStream({ kind: 'refused', errors }, stream);
          return ANSWERED;
        };
        let leave: () => void;
        try {
          const weight = weighSubscription(body?.bytes ?? queryOf(req));
          leave = enterSubscription(load, { weight, document: args.document }, req.socket, 0);
        } catch (error) {
          return refuse([asFault(error, 'INTERNAL_SERVER_ERROR', report)]);
        }
        body?.held.release();
        if (res.destroyed) {
          leave();
          return ANSWERED;
        }
        streams.add(res);
        res.once('close', () => {
          gone.abort();
          streams.delete(res);
          leave();
        });
        let subscription: Subscription;
        try {
          const options = { takesShared: takesStream, gone: () => gone.signal };
          subscription = await operations.subscribe(request(args), options);
        } catch (error) {
          if (!isPassing(error) && !gone.signal.aborted)
            return refuse([asFault(error, 'INTERNAL_SERVER_ERROR', report)]);
          res.destroy();
          return ANSWERED;
        }
        if (subscription.kind === 'refused') return refuse(subscription.errors);
        if (subscription.kind === 'results' && !takesStream) {
          await subscription.results.return();
          // Yoga answers 406.
          return subscription.results;
        }
        await sendEventStream(subscription, stream);
        return ANSWERED;
      }),
  };
  const yoga = createYoga<NodeContext>({
    schema: publicSchema,
    plugins: [ours],
    maskedErrors: {
      maskError: (error) => inOurTerms(asFault(error, 'BAD_REQUEST', report)),
    },
    maxRequestBodySize: REQUEST_MAX_BYTES,
    // `operations` caches documents for both transports.
    parserAndValidationCache: false,
    batching: false,
    multipart: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    // asFault reports unexpected errors with an id.
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
      // The client has disconnected, so no answer is needed.
      if (request.socket.destroyed) return;
      const problem = problemOf(request);
      if (problem !== null) {
        respondFault(response, 400, 'BAD_REQUEST', problem);
        return;
      }
      if (body) giveBody(request, body.bytes);
      const context: NodeContext = { req: request, res: response, principal, body };
      await respondWith(response, await yoga.handleNodeRequestAndResponse(request, response, context));
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
    // Pipelined requests are answered one after another, so that one connection cannot have hundreds of
    // answers produced at once.
    if (!response.socket) {
      // One event-loop turn per request. Otherwise everything sent in one write would be answered in one go.
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

/** Returns the values of a URL's query parameters as text. */
function queryOf({ url = '' }: IncomingMessage): Buffer {
  return Buffer.from([...new URL(url, 'http://localhost').searchParams.values()].join());
}

/**
 * Refuses a request whose body may still be arriving. Cutting the connection at once could lose the answer.
 */
function refuse(request: IncomingMessage, response: ServerResponse, refusal: BodyRefusal): void {
  if (refusal.status === 503) response.setHeader('retry-after', '1');
  respondFault(response, refusal.status, refusal.code, refusal.message);
  if (request.complete) return;
  const late = setTimeout(() => request.socket.destroy(), REFUSED_MS);
  request.once('close', () => clearTimeout(late)).once('end', () => clearTimeout(late));
}

/** A media type of an `Accept` header that matches server-sent events. */
const STREAM_TYPE = /^\s*(\*\/\*|text\/\*|text\/event-stream)\s*(;|$)/i;

/** Returns whether a client accepts an event stream, and whether it names it. Without the header it accepts all. */
function acceptOf({ headers }: IncomingMessage) {
  const accept = headers.accept || '*/*';
  return {
    takesStream: accept.split(',').some((type) => STREAM_TYPE.test(type)),
    asksForStream: accept.includes('text/event-stream'),
  };
}
