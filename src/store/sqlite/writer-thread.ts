import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from './open.ts';
import { failureOf, type ThreadAnswer, type ThreadCall, type ThreadStart } from './thread.ts';
import { createWrites, type Writes } from './writes.ts';

/** The thread that `writer.ts` starts: one connection, one request after another. */
const port = parentPort;
if (!port) throw new Error('this file is the start of a thread');

const file = workerData as string;

try {
  const database = openForWriting(file);
  const answer = answering(createWrites(database, file));
  port.on('message', (call: ThreadCall | 'close') => {
    if (call === 'close') {
      database.close();
      port.close();
      return;
    }
    port.postMessage(answer(call));
  });
  port.postMessage({ ok: true } satisfies ThreadStart);
} catch (error) {
  port.postMessage({ ok: false, ...failureOf(error) } satisfies ThreadStart);
}

function answering(writes: Writes): (call: ThreadCall) => ThreadAnswer {
  return ({ id, name, args }) => {
    try {
      // The name picks the function that these arguments were given for: `write` in writer.ts is typed so.
      const write = writes[name as keyof Writes] as (...args: readonly unknown[]) => unknown;
      return { id, ok: true, value: write(...args) };
    } catch (error) {
      return { id, ok: false, ...failureOf(error) };
    }
  };
}
