import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../../config/limits.ts';
import type { FaultCode } from '../../contract/errors.ts';
import type { Services } from '../../graphql/context.ts';
import { asFault, isPassing, type ReportUnexpected, recoded } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import type { Subscription } from '../../graphql/operations/subscription.ts';
import { publicSchema } from '../../graphql/schema.ts';
import { attempt } from '../../lib/attempt.ts';
import type { Load } from '../load/load.ts';
import { withinLength } from '../operations/answers.ts';
import { requestTurn } from '../operations/document-turn.ts';
import type { InFlight } from '../operations/in-flight.ts';
import { enterSubscription, weighSubscription } from '../operations/subscription-request.ts';
import { type BodyRefusal, type ReadBody, readBody } from './bodies.ts';
import { streamEvents } from './event-stream.ts';
import { createPlainPost } from './plain-post.ts';
import { NO_SNIFFING, respondFault } from './respond.ts';

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
  const { operations, inFlight, services, report, load } = options;
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
        const leave = inFlight.enter();
        try {
          return withinLength(await operations.execute(request(args)));
        } finally {
          leave();
        }
      }),
    onSubscribe: ({ setSubscribeFn }) =>
      setSubscribeFn(async (args) => {
        const { req, res, body } = args.contextValue as NodeContext;
        const { takesStream, asksForStream } = acceptOf(req);
        const gone = new AbortController();
        const stream = { response: res, signal: gone.signal, report, load };
        let leave: () => void;
        try {
          const weight = weighSubscription(body?.bytes ?? queryOf(req));
          leave = enterSubscription(load, { weight, document: args.document }, req.socket, 0);
        } catch (error) {
          const errors = [asFault(error, 'INTERNAL_SERVER_ERROR', report)];
          if (!asksForStream) return { errors };
          await streamEvents({ kind: 'refused', errors }, stream);
          return ANSWERED;
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
          if (!isPassing(error) && !gone.signal.aborted) throw error;
          res.destroy();
          return ANSWERED;
        }
        if (subscription.kind === 'refused' && !asksForStream) return { errors: subscription.errors };
        if (subscription.kind === 'results' && !takesStream) {
          await subscription.results.return();
          // Yoga answers 406.
          return subscription.results;
        }
        await streamEvents(subscription, stream);
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

/** Writes a response of Yoga's as bytes, unless the request has been answered or its client is gone. */
async function respondWith(response: ServerResponse, answer: Response): Promise<void> {
  const isOver = () => response.headersSent || response.destroyed;
  if (isOver()) return;
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (isOver()) return;
  // Yoga keeps the connection of every stream alive, even if the client asked for it to close.
  answer.headers.delete('connection');
  response.writeHead(answer.status, {
    ...Object.fromEntries(answer.headers),
    'content-length': bytes.length,
    ...NO_SNIFFING,
  });
  response.end(bytes);
}

/** Returns the values of a URL's query parameters as text. */
function queryOf({ url = '' }: IncomingMessage): Buffer {
  return Buffer.from([...new URL(url, 'http://localhost').searchParams.values()].join());
}

/** Parameters of a URL that Yoga parses as JSON. */
const JSON_PARAMETERS = ['variables', 'extensions'];

/** Returns why Yoga could not read the URL of a request. It would report its exception as an internal error. */
function problemOf({ url = '', headers: { host = '' } }: IncomingMessage): string | null {
  const address = `http://${host}${url}`;
  if (!URL.canParse(address)) return 'the Host header and the URL must form a valid address';
  const parameters = new URL(address).searchParams;
  const invalid = JSON_PARAMETERS.find((name) => !isJson(parameters.get(name) || 'null'));
  return invalid === undefined ? null : `${invalid} must be JSON`;
}

function isJson(text: string): boolean {
  return (
    attempt(() => {
      JSON.parse(text);
      return true;
    }) ?? false
  );
}

/** Puts a body that has been read where Yoga looks for one, because the request's stream has ended. */
function giveBody(request: IncomingMessage, body: Buffer): void {
  const bytes = {
    length: body.length,
    async *[Symbol.asyncIterator]() {
      yield body;
    },
  };
  Object.assign(request, { body: bytes });
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

/** The runfeed codes for error codes of Yoga. */
const OUR_CODES: ReadonlyMap<unknown, FaultCode> = new Map([
  ['OPERATION_RESOLUTION_FAILURE', 'BAD_USER_INPUT'],
  ['REQUEST_ENTITY_TOO_LARGE', 'BODY_TOO_LARGE'],
]);

/** Returns an error of Yoga with a runfeed code and without the message of the parser that failed inside. */
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
