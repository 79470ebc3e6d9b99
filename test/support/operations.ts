import { type Answer, post } from './request.ts';
import { openWebsocket } from './websocket-client.ts';

/** Asks for one operation and answers its first result. */
export type Ask = (graphql: string, query: string, variables?: unknown) => Promise<Answer>;

/** The ways to ask for a query or mutation, by name. */
export const TRANSPORTS: readonly (readonly [string, Ask])[] = [
  ['HTTP', async (graphql, query, variables) => (await post(graphql, query, variables)).body],
  [
    'websocket',
    async (graphql, query, variables) => {
      const client = await openWebsocket(graphql);
      client.subscribe('1', query, variables);
      const { type, payload } = await client.next();
      client.socket.terminate();
      return type === 'error' ? { errors: payload as NonNullable<Answer['errors']> } : (payload as Answer);
    },
  ],
];
