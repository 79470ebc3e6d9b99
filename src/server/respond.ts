import type { ServerResponse } from 'node:http';
import type { FaultCode } from '../contract/errors.ts';

/** Answers JSON, a line of it: terminals show the next prompt below. */
export function respondJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Answers a fault in the shape of a GraphQL response, so that every client finds the code in the same place. */
export function respondFault(
  response: ServerResponse,
  status: number,
  code: FaultCode,
  message: string,
): void {
  respondJson(response, status, {
    errors: [{ message, extensions: { code } }],
  });
}
