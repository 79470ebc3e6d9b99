import { once, setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionArgs } from 'graphql';
import type { OperationResult } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { createStockSchema } from './stock-schema.ts';
import { openStockStore } from './stock-store.ts';

// A server built by following the guides: Yoga for HTTP, and graphql-ws through Yoga's envelope.

// createPubSub adds a listener per subscriber. Node would report hundreds of them as a leak.
setMaxListeners(0);
const store = await openStockStore(process.env.DATABASE_URL!);
const yoga = createYoga({
  schema: createStockSchema(store),
  graphiql: false,
  landingPage: false,
  logging: false,
});
const http = createServer(yoga);
const sockets = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint });

interface Enveloped {
  readonly execute: (args: ExecutionArgs) => OperationResult;
  readonly subscribe: (args: ExecutionArgs) => OperationResult;
}

useServer(
  {
    execute: (args) => (args.rootValue as Enveloped).execute(args),
    subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const document = parse(params.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return errors;
      return {
        schema,
        document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe } satisfies Enveloped,
      };
    },
  },
  sockets,
);

http.listen(0, '127.0.0.1');
await once(http, 'listening');
process.stdout.write(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}\n`);
