import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Principal } from '../auth/principal.ts';
import type { Services } from '../graphql/context.ts';
import { asFault, type ReportUnexpected } from '../graphql/faults.ts';
import type { OperationRequest } from '../graphql/operation-request.ts';
import type { Operations } from '../graphql/operations.ts';
import { writeAnswer } from './answers.ts';
import { requestTurn } from './document-turn.ts';
import type { InFlight } from './in-flight.ts';
import type { Load } from './load.ts';

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

/** Longer answers are written as bytes: outside of the heap, where they may wait for the client to read. */
const LONG_ANSWER = 64 * 1024;

/** What {@link createPlainPost} needs to answer posts. */
export interface PlainPostOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly report: ReportUnexpected;
  readonly load: Pick<Load, 'documents'>;
}

/**
 * Answers the requests that runners send all day: a JSON body with a valid query or mutation that expects
 * JSON. The answer is exactly Yoga's, but without its pipeline, which costs more than twice as much as
 * everything else for a small batch. Resolves to true once the answer is written, and to false for every
 * other request, which Yoga then answers.
 */
export type PlainPost = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  principal: Principal,
) => Promise<boolean>;

/** Creates the fast path for posts. */
export function createPlainPost(options: PlainPostOptions, fetchAPI: FetchAPI): PlainPost {
  const { operations, inFlight, report } = options;

  async function answer(
    operation: OperationRequest,
    mediaType: string,
    response: ServerResponse,
  ): Promise<void> {
    let executed: ExecutionResult;
    try {
      executed = await inFlight.track(() => operations.execute(operation));
    } catch (error) {
      executed = { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
    }
    const { result, text } = writeAnswer(executed, report);
    if (!result.errors) return send(response, 200, mediaType, text);
    // Yoga decides which status belongs to which errors.
    const refusal = processRegularResult(result, fetchAPI, mediaType);
    send(response, refusal.status, mediaType, await refusal.text());
  }

  return async (request, response, body, principal) => {
    const mediaType = answerOf(request);
    if (!mediaType) return false;
    const operation = await readOperation(body, options, principal, request.socket);
    if (!operation) return false;
    await answer(operation, mediaType, response);
    return true;
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

/** Returns null if the request is invalid or unusual. Yoga then answers it and says what is wrong. */
async function readOperation(
  body: Buffer,
  { operations, services, load }: PlainPostOptions,
  principal: Principal,
  owner: object,
): Promise<OperationRequest | null> {
  try {
    const parameters: unknown = JSON.parse(body.toString());
    if (!isObject(parameters) || !Object.keys(parameters).every((name) => PARAMETERS.has(name))) return null;
    const { query, operationName, variables, extensions } = parameters;
    if (typeof query !== 'string' || !isObject(extensions ?? {})) return null;
    if (operationName != null && typeof operationName !== 'string') return null;
    if (variables != null && !isObject(variables)) return null;
    const turn = requestTurn(operations, load, owner, { bytes: body.length, query });
    if (turn) await turn;
    const document = operations.parse(query);
    if (operations.validate(document).length > 0) return null;
    const operation = getOperationAST(document, operationName)?.operation;
    if (!operation || operation === OperationTypeNode.SUBSCRIPTION) return null;
    const contextValue = { ...services, principal };
    return { document, operationName, variableValues: variables, contextValue, owner };
  } catch {
    return null;
  }
}

function send(response: ServerResponse, status: number, mediaType: string, text: string): void {
  const body = text.length > LONG_ANSWER ? Buffer.from(text) : text;
  response.writeHead(status, {
    'content-type': `${mediaType}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
