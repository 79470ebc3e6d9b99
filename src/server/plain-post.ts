import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Principal } from '../auth/principal.ts';
import { REQUEST_MAX_BYTES } from '../config/limits.ts';
import type { Services } from '../graphql/context.ts';
import { asFault, type ReportUnexpected } from '../graphql/faults.ts';
import type { OperationRequest, Operations } from '../graphql/operations.ts';
import type { InFlight } from './in-flight.ts';

const JSON_BODY = /^application\/json(; ?charset=utf-8)?$/i;
const PLAIN_JSON = 'application/json';
const RESPONSE_JSON = 'application/graphql-response+json';

/** What clients ask for, and which media type Yoga would answer it with. */
const ANSWERS: ReadonlyMap<string, string> = new Map([
  ['*/*', PLAIN_JSON],
  [PLAIN_JSON, PLAIN_JSON],
  [RESPONSE_JSON, RESPONSE_JSON],
  [`${RESPONSE_JSON}, ${PLAIN_JSON}`, RESPONSE_JSON],
]);

const PARAMETERS: ReadonlySet<string> = new Set(['query', 'operationName', 'variables', 'extensions']);

/** What answering posts needs. */
export interface PlainPostOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly services: Services;
  readonly report: ReportUnexpected;
}

/** Answers a request at `/graphql` for whoever it comes from. */
export type GraphqlListener = (
  request: IncomingMessage,
  response: ServerResponse,
  principal: Principal,
) => void;

/** The pipeline that answers everything else. */
interface Yoga {
  (request: IncomingMessage, response: ServerResponse, context: { readonly principal: Principal }): unknown;
  readonly fetchAPI: FetchAPI;
}

/**
 * Answers what runners send all day, a JSON body that holds a valid query or mutation and wants JSON back, exactly as
 * Yoga would but without its pipeline, which costs more than twice all else that is done for a small batch. Every other
 * request goes on to `yoga` as it came.
 */
export function createPlainPost(options: PlainPostOptions, yoga: Yoga): GraphqlListener {
  const { operations, inFlight, report } = options;

  async function answer(
    operation: OperationRequest,
    mediaType: string,
    response: ServerResponse,
  ): Promise<void> {
    let result: ExecutionResult;
    try {
      result = await inFlight.track(() => operations.execute(operation));
    } catch (error) {
      result = { errors: [asFault(error, 'INTERNAL_SERVER_ERROR', report)] };
    }
    if (!result.errors) return send(response, 200, mediaType, JSON.stringify(result));
    // Which status goes with which errors is Yoga's to know.
    const refusal = processRegularResult(result, yoga.fetchAPI, mediaType);
    send(response, refusal.status, mediaType, await refusal.text());
  }

  return (request, response, principal) => {
    const mediaType = answerOf(request);
    const length = Number(request.headers['content-length']);
    if (!mediaType || !(length > 0 && length <= REQUEST_MAX_BYTES))
      return void yoga(request, response, { principal });
    const chunks: Buffer[] = [];
    let missing = length;
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      missing -= chunk.length;
      if (missing > 0) return;
      request.off('data', take);
      const body = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      const operation = readOperation(body, options, principal, request.socket);
      if (operation) return void answer(operation, mediaType, response);
      // The stream has not ended yet, so it can have its body back.
      request.pause();
      request.unshift(body);
      yoga(request, response, { principal });
    };
    request.on('data', take);
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

/** Null: something about it is wrong or unusual, and Yoga knows what to say. */
function readOperation(
  body: Buffer,
  { operations, services }: PlainPostOptions,
  principal: Principal,
  owner: object,
): OperationRequest | null {
  try {
    const parameters: unknown = JSON.parse(body.toString());
    if (!isObject(parameters) || !Object.keys(parameters).every((name) => PARAMETERS.has(name))) return null;
    const { query, operationName, variables, extensions } = parameters;
    if (typeof query !== 'string' || !isObject(extensions ?? {})) return null;
    if (operationName != null && typeof operationName !== 'string') return null;
    if (variables != null && !isObject(variables)) return null;
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

function send(response: ServerResponse, status: number, mediaType: string, body: string): void {
  response.writeHead(status, {
    'content-type': `${mediaType}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
