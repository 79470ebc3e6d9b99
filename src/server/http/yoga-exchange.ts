import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { FaultCode } from '../../contract/errors.ts';
import { recoded } from '../../graphql/errors/faults.ts';
import { attempt } from '../../lib/attempt.ts';
import { NO_SNIFFING } from './respond.ts';

/** Parameters of a URL that Yoga parses as JSON. */
const JSON_PARAMETERS = ['variables', 'extensions'];

/** Returns why Yoga could not read the URL of a request. It would report its exception as an internal error. */
export function problemOf({ url = '', headers: { host = '' } }: IncomingMessage): string | null {
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
export function giveBody(request: IncomingMessage, body: Buffer): void {
  const bytes = {
    length: body.length,
    async *[Symbol.asyncIterator]() {
      yield body;
    },
  };
  Object.assign(request, { body: bytes });
}

/** Writes a response of Yoga's as bytes, unless the request has been answered or its client is gone. */
export async function respondWith(response: ServerResponse, answer: Response): Promise<void> {
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

/** The runfeed codes for error codes of Yoga. */
const OUR_CODES: ReadonlyMap<unknown, FaultCode> = new Map([
  ['OPERATION_RESOLUTION_FAILURE', 'BAD_USER_INPUT'],
  ['REQUEST_ENTITY_TOO_LARGE', 'BODY_TOO_LARGE'],
]);

/** Returns an error of Yoga with a runfeed code and without the message of the parser that failed inside. */
export function inOurTerms(error: GraphQLError): GraphQLError {
  const { originalError: inside, ...extensions } = error.extensions;
  const { code, http } = extensions as { code?: unknown; http?: { status?: unknown } };
  const ours = http?.status === 405 ? 'METHOD_NOT_ALLOWED' : OUR_CODES.get(code);
  return recoded(error, error.message, {
    ...extensions,
    ...(ours && { code: ours }),
    ...(inside !== undefined && { http: { status: 400 } }),
  });
}
