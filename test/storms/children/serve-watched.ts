import { createInterface } from 'node:readline';
import { composeServer } from '../composed-server.ts';

/**
 * A server in a separate process. Prints the URL of its `/graphql`, then its memory in bytes as a line of
 * JSON for every line that it receives. Argument: a database URL. Requires --expose-gc.
 */
const server = await composeServer(process.argv[2] ?? '');
console.log(server.graphql);
for await (const _ of createInterface({ input: process.stdin })) {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  console.log(JSON.stringify({ rss, heapUsed, external, watchedRuns: server.feed.watchedRuns() }));
}
process.exit(0);
