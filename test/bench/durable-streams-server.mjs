import { DurableStreamTestServer } from '@durable-streams/server';

// The reference server with its file store, which syncs every append before it answers.

const server = new DurableStreamTestServer({ port: 0, dataDir: process.env.DATA_FOLDER });
await server.start();
process.stdout.write(`listening on ${server.url}\n`);
