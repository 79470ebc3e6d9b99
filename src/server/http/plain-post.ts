import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.ts';
import type { Services } from '../../graphql/context.ts';
import { asFault, type ReportUnexpected } from '../../graphql/errors/faults.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import { attempt } from '../../lib/attempt.ts';
import type { Load } from '../load/load.ts';
import { writeAnswer } from '../operations/answers.ts';
import { requestTurn } from '../operations/document-turn.ts';
import { executeOperation } from '../operations/execute.ts';
import type { InFlight } from '../operations/in-flight.ts';
import { declaredVariables } from '../operations/subscription-request.ts';
import { LONG_ANSWER, NO_SNIFFING } from './respond.ts';

const JSON_BODY = /^application\/json(; ?charset=utf-8)?$/i;
const PLAIN_JSON = 'application/json';
const RESPONSE_JSON = 'application/graphql-response+json';

/** Supported `Accept` headers and the media type with which Yoga answers each. */
const ANSWERS: ReadonlyMap<string, string> = new Map([
  ['*/*', PLAIN_JSON],
  [PLAIN_JSON, PLAIN_JSON],
  [RESPONSE_JSON, RESPONSE_JSON],
  [`${RESPONSE_JSON}, ${PLAIN_JSON}`, RESPONSE_JSON],
]);

const PARAMETERS: ReadonlySet<string> = new Set(['query', 'operationName', 'variables', 'extensions']);

/** What {@link createPlainPost} needs to answer posts. */
export interface PlainPostOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly report: ReportUnexpected;
  readonly load: Pick<Load, 'documents' | 'pending'>;
}

/**
 * Answers the requests that runners send all day: a JSON body with a valid query or mutation that expects
 * JSON. The answer is exactly Yoga's, but without its pipeline, which costs more than twice as much as
 * everything else for a small batch. Resolves to true once the answer is written. Returns or resolves to null
 * for every other request, which Yoga then answers.
 */
export type PlainPost = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  principal: Principal,
) => Promise<true | null> | null;

/** Creates the fast path for posts. */
export function createPlainPost(options: PlainPostOptions, fetchAPI: FetchAPI): PlainPost {
  const { operations, report } = options;

  async function answer(
    operation: OperationRequest,
    socket: Socket,
    mediaType: string,
    response: ServerResponse,
  ): Promise<true> {
    let executed: ExecutionResult;
    try {
      executed = await executeOperation(operation, socket, options);
    } catch (error) {
      executed = { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
    }
    const { result, text } = writeAnswer(executed, report);
    if (result.errors) {
      // Yoga decides which status belongs to which errors.
      const refusal = processRegularResult(result, fetchAPI, mediaType);
      send(response, refusal.status, mediaType, await refusal.text());
    } else send(response, 200, mediaType, text);
    return true;
  }

  return (request, response, body, principal) => {
    const mediaType = answerOf(request);
    if (mediaType === undefined) return null;
    const posted = readPost(body);
    if (posted === null) return null;
    const { socket } = request;
    const proceed = () => {
      const operation = attempt(() => operationOf(posted, options, principal, socket));
      return operation && answer(operation, socket, mediaType, response);
    };
    const { query } = posted;
    let turn: Promise<void> | null;
    try {
      turn = requestTurn(operations, options.load, socket, { bytes: body.length, query });
    } catch {
      return null;
    }
    return turn ? turn.then(proceed, () => null) : proceed();
  };
}

function answerOf({ method, url, headers }: IncomingMessage): string | undefined {
  const plain =
    method === 'POST' &&
    url === '/graphql' &&
    headers['content-encoding'] === undefined &&
    JSON_BODY.test(headers['content-type'] ?? '');
  return plain ? ANSWERS.get(headers.accept ?? '*/*') : undefined;
}

/** A post that requests an operation. */
interface Post {
  readonly query: string;
  readonly operationName: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>> | null | undefined;
}

/** Returns null if the body is invalid or unusual. Yoga then answers it and says what is wrong. */
function readPost(body: Buffer): Post | null {
  const parameters = attempt((): unknown => JSON.parse(body.toString()));
  if (!isObject(parameters) || !Object.keys(parameters).every((name) => PARAMETERS.has(name))) return null;
  const { query, operationName, variables, extensions } = parameters;
  if (typeof query !== 'string' || !isObject(extensions ?? {})) return null;
  if (operationName != null && typeof operationName !== 'string') return null;
  if (variables != null && !isObject(variables)) return null;
  return { query, operationName, variables };
}

/** Returns null if the document is invalid or a subscription. Throws if the document is refused. */
function operationOf(
  { query, operationName, variables }: Post,
  { operations, services }: PlainPostOptions,
  principal: Principal,
  owner: object,
): OperationRequest | null {
  const document = operations.parse(query);
  if (operations.validate(document).length > 0) return null;
  const definition = getOperationAST(document, operationName);
  if (!definition || definition.operation === OperationTypeNode.SUBSCRIPTION) return null;
  const contextValue = { ...services, principal };
  // The operation must not keep the others while it waits.
  const variableValues = variables && declaredVariables(definition, variables);
  return { document, operationName, variableValues, contextValue, owner };
}

function send(response: ServerResponse, status: number, mediaType: string, text: string): void {
  const body = text.length > LONG_ANSWER ? Buffer.from(text) : text;
  response.writeHead(status, {
    'content-type': `${mediaType}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    ...NO_SNIFFING,
  });
  response.end(body);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
