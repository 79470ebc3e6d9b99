import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from './open.ts';
import { failedAnswer, type ThreadAnswer, type ThreadCall } from './thread.ts';
import { createWrites, type Writes } from './writes.ts';

/** The thread that `writer.ts` starts: one connection, one request after another. */
const port = parentPort;
if (!port) throw new Error('this file is the start of a thread');

const database = openForWriting(workerData as string);
const writes = createWrites(database);

port.on('message', (request: ThreadCall | 'close') => {
  if (request === 'close') {
    database.close();
    port.close();
    return;
  }
  port.postMessage(answer(request));
});
port.postMessage('ready');

function answer({ id, name, args }: ThreadCall): ThreadAnswer {
  try {
    // The name picks the function that these arguments were given for: `write` in writer.ts is typed so.
    const write = writes[name as keyof Writes] as (...args: readonly unknown[]) => unknown;
    return { id, ok: true, value: write(...args) };
  } catch (error) {
    return failedAnswer(id, error);
  }
}
