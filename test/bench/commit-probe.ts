import { subscribe } from 'node:diagnostics_channel';
import { pathToFileURL } from 'node:url';
import { COMMITTED_CHANNEL, type Committed } from '../../src/ingest/committed.ts';

// Runs the program that the first argument names. On request, reports what was committed since the last
// request.

let commits: Committed[] = [];
subscribe(COMMITTED_CHANNEL, (message) => void commits.push(message as Committed));

process.on('message', () => {
  process.send!(commits);
  commits = [];
});
// Listening must not keep a stopping server alive.
process.channel!.unref();

const [node, , program, ...rest] = process.argv;
process.argv = [node!, program!, ...rest];
await import(pathToFileURL(program!).href);
