import type { Answer } from './request.ts';
import { openWebsocket } from './websocket-client.ts';

/** Runs an operation and returns its first result. Variables that are text must already be JSON. */
export type Ask = (graphql: string, query: string, variables?: unknown) => Promise<Answer>;

const payloadOf = (query: string, variables: unknown) =>
  `{"query":${JSON.stringify(query)},"variables":${
    typeof variables === 'string' ? variables : JSON.stringify(variables ?? null)
  }}`;

/** The transports for a query or mutation, by name. */
export const TRANSPORTS: readonly (readonly [string, Ask])[] = [
  [
    'HTTP',
    async (graphql, query, variables) => {
      const headers = { 'content-type': 'application/json' };
      const body = payloadOf(query, variables);
      return (await (await fetch(graphql, { method: 'POST', headers, body })).json()) as Answer;
    },
  ],
  [
    'websocket',
    async (graphql, query, variables) => {
      const client = await openWebsocket(graphql);
      client.send(`{"id":"1","type":"subscribe","payload":${payloadOf(query, variables)}}`);
      const { type, payload } = await client.next();
      client.socket.terminate();
      return type === 'error' ? { errors: payload as NonNullable<Answer['errors']> } : (payload as Answer);
    },
  ],
];

/** Returns one field of an answer's data, with the type that the test expects. Throws if it is missing. */
export function resultOf<Value>({ data, errors }: Answer, field: string): Value {
  const value: unknown = data?.[field];
  if (value === undefined || value === null) throw new Error(`no ${field}: ${JSON.stringify(errors)}`);
  return value as Value;
}
